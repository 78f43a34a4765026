"""Numbers in texts, as people write them: with currencies, units, scales and ranges."""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["NUMBER", "Quantity", "parse_number", "read_quantity"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number or a range in a text, with its unit or currency."""

    kind: Literal["money", "percent", "quantity", "number", "code"]
    text: str
    start: int
    value: float | None
    high: float | None
    unit: str | None


_CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars", "us dollars", "bucks"), "USD"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "EUR"),
    **dict.fromkeys(("£", "gbp", "pounds sterling", "pound sterling", "quid"), "GBP"),
    **dict.fromkeys(("chf", "swiss francs", "francs", "sfr"), "CHF"),
    **dict.fromkeys(("¥", "jpy", "yen"), "JPY"),
    **dict.fromkeys(("₹", "inr", "rupees", "rupee"), "INR"),
    **dict.fromkeys(("cny", "rmb", "yuan"), "CNY"),
    **dict.fromkeys(("ca$", "c$", "cad", "canadian dollars"), "CAD"),
    **dict.fromkeys(("a$", "au$", "aud", "australian dollars"), "AUD"),
    **dict.fromkeys(("sek", "swedish kronor", "kronor"), "SEK"),
    **dict.fromkeys(("nok", "norwegian kroner"), "NOK"),
    **dict.fromkeys(("dkk", "danish kroner", "kroner"), "DKK"),
    **dict.fromkeys(("pln", "zł", "zloty", "zlotys"), "PLN"),
    "₩": "KRW",
    "krw": "KRW",
    "₽": "RUB",
    "rub": "RUB",
    "roubles": "RUB",
    "brl": "BRL",
    "r$": "BRL",
    "reais": "BRL",
    "mxn": "MXN",
    "pesos": "MXN",
    "czk": "CZK",
    "₿": "BTC",
    "btc": "BTC",
    "bitcoin": "BTC",
    "bitcoins": "BTC",
}
_CENTS = {"cent": "USD", "cents": "USD", "pence": "GBP"}
_PERCENT = {
    **dict.fromkeys(("%", "percent", "per cent", "pct", "percentage points"), 1.0),
    **dict.fromkeys(("‰", "per mille"), 0.1),
    **dict.fromkeys(("bp", "bps", "basis points"), 0.01),
}
_SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "billion": 1e9,
    "tn": 1e12,
    "trillion": 1e12,
    "lakh": 1e5,
    "crore": 1e7,
    "dozen": 12.0,
}
# Symbols are told apart by their case, as mW and MW; words are not.
_LISTED = (
    "nm µm μm mm cm dm m km mi ft yd in² m² m2 cm² cm2 km² km2 mm² ha acre cm³ cm3 m³ m3 km³ "
    "ng µg μg mcg mg g kg t lb lbs oz µl μl ml mL cl dl l L hl ms µs μs ns s sec min h hr hrs "
    "Hz kHz MHz GHz THz bit kbit Mbit Gbit B kB KB MB GB TB PB KiB MiB GiB TiB bit/s kbit/s "
    "Mbit/s Gbit/s kbps Mbps Gbps MB/s GB/s mW W kW MW GW Wh kWh MWh GWh TWh J kJ MJ cal kcal eV "
    "keV MeV GeV µV mV V kV µA mA A Ah mAh Ω kΩ MΩ F µF nF pF H T mT N kN Pa hPa kPa MPa bar "
    "mbar psi mmHg K °C °F ° °K mol mmol µmol M mM m/s km/h mph kph m/s² m/s2 rpm bpm dB dBm px "
    "lm lx cd Gy mSv Sv Bq kBq IU mg/kg mg/dl mmol/l g/l mg/l kg/m³ kg/m2 kg/m² g/km l/100km"
)
_SYMBOLS = tuple(_LISTED.split())
_WORDS = {
    "m": "metre metres meter meters",
    "km": "kilometre kilometres kilometer kilometers",
    "cm": "centimetre centimetres centimeter centimeters",
    "mm": "millimetre millimetres millimeter millimeters",
    "nm": "nanometre nanometres nanometer nanometers",
    "mi": "mile miles",
    "ft": "foot feet",
    "in": "inch inches",
    "m²": "sqm",
    "ha": "hectare hectares",
    "acre": "acres",
    "kg": "kilo kilos kilogram kilograms",
    "g": "gram grams gramme grammes",
    "mg": "milligram milligrams",
    "µg": "microgram micrograms",
    "t": "tonne tonnes ton tons",
    "lb": "pound pounds",
    "oz": "ounce ounces",
    "l": "litre litres liter liters",
    "ml": "millilitre millilitres milliliter milliliters",
    "gal": "gallon gallons",
    "ms": "millisecond milliseconds",
    "s": "second seconds secs",
    "min": "minute minutes mins",
    "h": "hour hours",
    "d": "day days",
    "wk": "week weeks",
    "mo": "month months",
    "a": "year years",
    "decade": "decades",
    "century": "centuries",
    "Hz": "hertz",
    "GHz": "gigahertz",
    "bit": "bits",
    "B": "byte bytes",
    "MB": "megabyte megabytes",
    "GB": "gigabyte gigabytes",
    "TB": "terabyte terabytes",
    "W": "watt watts",
    "kW": "kilowatt kilowatts",
    "kWh": "kilowatt-hour kilowatt-hours",
    "J": "joule joules",
    "kcal": "calorie calories",
    "eV": "electronvolt electronvolts",
    "V": "volt volts",
    "A": "ampere amperes amp amps",
    "Ω": "ohm ohms",
    "N": "newton newtons",
    "Pa": "pascal pascals",
    "K": "kelvin",
    "°": "degree degrees",
    "°C": "celsius",
    "°F": "fahrenheit",
    "mol": "mole moles",
    "dB": "decibel decibels",
    "px": "pixel pixels",
}
_OF_WORD = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_COMPOUND = {"square": "²", "cubic": "³"}
_PHRASES = {
    "degrees celsius": "°C", "degrees fahrenheit": "°F", "kilometres per hour": "km/h",
    "kilometers per hour": "km/h", "miles per hour": "mph", "metres per second": "m/s",
    "meters per second": "m/s", "light years": "ly", "light-years": "ly", "deg c": "°C",
    **{f"{size} {word}": unit + sign for size, sign in _COMPOUND.items()
       for unit in ("m", "km", "cm", "ft", "mi", "in") for word in _WORDS[unit].split()},
}  # fmt: skip
_SYMBOL_UNITS = {each: each.replace("\u03bc", "µ") for each in _SYMBOLS}
_UNITS = (*_SYMBOLS, *_OF_WORD, *_PHRASES)
_ONE_LETTER = re.compile(r"[kKmMbB]")


def _any(words: "set[str] | tuple[str, ...]") -> str:
    """One of these, the longest first; words end where a word ends."""
    listed = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(each) + ("(?!\\w)" if each[-1].isalnum() else "") for each in listed)


_BEFORE = "|".join(
    re.escape(each) for each in sorted(_CURRENCIES, key=len, reverse=True) if " " not in each
)
_DIGITS = (
    r"(?:[1-9]\d{0,2}(?:[ \u00a0\u202f]\d{3}(?![\d]))++(?:[.,]\d{1,2}(?!\d))?"
    r"|\d++(?:[.,'’]\d++)*+|\.\d++)(?:e[+-]?\d{1,3}(?!\w))?"  # noqa: RUF001 - as typed
)
_SCALE = rf"\s?(?:{_any(tuple(_SCALES))})(?![/²³])"
_AFTER = _any((*_CURRENCIES, *_CENTS, *_PERCENT, *_UNITS))
_DASH = r"\s?[-–—]\s?|\s(?:to|up\sto)\s"  # noqa: RUF001 - dashes as people type them
NUMBER = (
    r"(?P<between>between\s)?"
    rf"(?:(?P<before>(?:{_BEFORE}))\s?)?(?P<sign>[-−])?(?P<low>{_DIGITS})"  # noqa: RUF001 - minus
    rf"(?P<scale_low>{_SCALE})?(?:(?(between)\sand\s|(?:{_DASH}))(?:{_BEFORE})?(?P<high>{_DIGITS}))?"
    rf"(?P<scale>{_SCALE})?(?:[\s\u00a0\u202f-]?(?P<after>{_AFTER}))?"
)
"""A pattern (verbose-proof, without case) of a number with what belongs to it."""


def parse_number(text: str) -> float | None:
    """Return the number, or None for what is no one number, as `10.0.4.17`.

    `1,234.5`, `1.234,5`, `1'234.5` and `1 234,5` are the same. A single comma before three
    digits divides thousands, a single point does not.
    """
    plain = re.sub(r"['’ \u00a0\u202f]", "", text)  # noqa: RUF001 - as people type it
    marks = re.sub(r"[^.,]", "", plain)
    if len(set(marks)) == 2:
        if marks.count(marks[-1]) > 1:
            return None
        plain = plain.replace(marks[0], "").replace(marks[-1], ".")
    elif marks:
        mark, (first, *groups) = marks[0], re.split("[.,]", plain)
        thousands = first not in ("", "0") and all(re.fullmatch(r"\d{3}", each) for each in groups)
        if len(marks) > 1 and not thousands:
            return None
        thousands = thousands and (len(marks) > 1 or mark == ",")
        plain = plain.replace(mark, "" if thousands else ".")
    try:
        return float(plain)
    except ValueError:
        return None


def read_quantity(match: re.Match[str]) -> Quantity | None:
    """Return what a match of `NUMBER` says; its text is without the word "between"."""
    text, start = match.group(), match.start()
    if lead := match["between"]:
        text, start = text[len(lead) :], start + len(lead)
    low = parse_number(match["low"])
    high = parse_number(match["high"]) if match["high"] else None
    if low is None or (match["high"] and high is None):
        return Quantity("code", text, start, None, None, None)
    after = match["after"]
    if after and len(after) == 1 and after.isalpha() and after not in _SYMBOLS:
        text, after = text[: match.start("after") - start].rstrip(" -"), None  # "5 a day"
    kind, unit, factor = _unit(match["before"], after)
    scale, metres = _scale(match["scale"] or match["scale_low"], is_money=kind == "money")
    if metres and unit is None:
        kind, unit = "quantity", metres
    factor *= scale
    first = _scale(match["scale_low"], is_money=kind == "money")[0] * factor / scale
    low *= first if match["scale_low"] and match["scale"] else factor
    high = None if high is None else high * factor
    if match["sign"]:
        low = -low
    if high is not None and high <= low:  # 555-0142 is no range
        return Quantity("code", text, start, None, None, None)
    return Quantity(kind, text, start, _tidy(low), None if high is None else _tidy(high), unit)


def _tidy(number: float) -> float:
    return float(f"{number:.12g}")


def _scale(said: str | None, *, is_money: bool) -> tuple[float, str | None]:
    """The factor; or, where no money is meant, the unit that the letter is."""
    word = (said or "").strip()
    if not word:
        return 1.0, None
    if not is_money and _ONE_LETTER.fullmatch(word):
        symbol = {"m": "m", "b": "bit", "B": "B"}.get(word)
        if symbol:
            return 1.0, symbol
    return _SCALES[word.lower()], None


def _unit(
    before: str | None, after: str | None
) -> tuple[Literal["money", "percent", "quantity", "number"], str | None, float]:
    """Kind, unit and factor of what stands before and after a number."""
    word = re.sub(r"\s+", " ", after or "").lower()
    if before:
        return "money", _CURRENCIES[before.lower()], 1.0
    if word in _CENTS:
        return "money", _CENTS[word], 0.01
    if word in _PERCENT:
        return "percent", "%", _PERCENT[word]
    if word in _CURRENCIES:
        return "money", _CURRENCIES[word], 1.0
    if not word:
        return "number", None, 1.0
    # Without the right case a symbol is still the likeliest reading: 5 KG, 3 Km.
    nearest = next((each for each in _SYMBOLS if each.lower() == word), word)
    unit = _SYMBOL_UNITS.get(after or "") or _PHRASES.get(word) or _OF_WORD.get(word)
    return "quantity", unit or _SYMBOL_UNITS.get(nearest, nearest), 1.0
