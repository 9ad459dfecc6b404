"""What chapters share: claims with their verdicts, recorded results, figures. No argument and no number of its own."""

import sys

# A grammar of addresses that jsonschema compiles for a second at each import, if JupyterLab has brought it along, and
# that neither Altair nor nbformat ever asks.
sys.modules.setdefault("rfc3987_syntax", None)
