"""Tables of numbers in files: described, grouped, compared, and drawn."""

from cogwork.tools.data.tool import data_tools, make_analyze_data, make_plot_data

__all__ = ["data_tools", "make_analyze_data", "make_plot_data"]
