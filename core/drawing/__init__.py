"""Drawing of graphs: what to show, where it stands, and how it looks.

    diagram   what a picture shows, read from a graph
    layers    rows, orders and columns, after Sugiyama
    curves    paths of lines
    grid      bodies and bends of lines in rows
    loops     lanes for lines that go back
    sheet     a flat graph with its lines
    parts     loose parts side by side
    layout    subgraphs in frames; the whole picture
    svg       the picture as text

`cogwork.core.topology` is the way in.
"""
