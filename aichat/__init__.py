"""The Django project of AI Chat Studio."""

import sys

# jsonschema's check of the formats "iri" and "iri-reference" compiles a grammar when it is imported: 26 MiB and more
# than a second in each process. `plugins_app.sdk.config` checks them itself. (None makes the import fail.)
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
