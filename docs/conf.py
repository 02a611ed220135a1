"""How the documentation is built: `sphinx-build -W -b html docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from materialsdock import __version__

project = "materialsdock"
author = "The materialsdock authors"
copyright = "2026, the materialsdock authors"  # Sphinx asks for it under this name
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "formulas",
    "from_the_code",
]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("FloatArray", "Mask", "Plan", "Reading")}
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True}

html_theme = "pydata_sphinx_theme"
html_title = "materialsdock"
html_static_path = ["_static"]
html_css_files = ["own.css"]
html_sidebars = {page: [] for page in ("benchmarks", "tutorial/*", "examples/*")}
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
