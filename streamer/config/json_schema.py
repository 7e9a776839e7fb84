"""The configuration's JSON Schema, for editors: what they complete, explain and underline."""

from collections.abc import Mapping
from typing import Any

from streamer.config.schema import Config

# The draft that editors' YAML support knows best.
DRAFT = "http://json-schema.org/draft-07/schema#"
# In place of any text may stand ${NAME}, and a $ that is meant is written $$.
_FROM_ENVIRONMENT = r"\$"


def json_schema() -> dict[str, Any]:
    """The schema of a configuration file, as a tree that `json.dumps` takes."""
    schema = _mended(Config.model_json_schema(ref_template="#/definitions/{model}"))
    assert isinstance(schema, dict)
    definitions = schema.pop("$defs")
    head = {"$schema": DRAFT, "title": "Freshframe configuration"}
    return {
        **head,
        **{key: value for key, value in schema.items() if key not in head},
        "definitions": definitions,
    }


def _mended(tree: Any) -> Any:
    """Titles that say no more than the key go; patterns and enums let the environment through."""
    if isinstance(tree, list):
        return [_mended(item) for item in tree]
    if not isinstance(tree, Mapping):
        return tree
    mended = {key: _mended(value) for key, value in tree.items()}
    for name in ("properties", "$defs"):
        for key, value in mended.get(name, {}).items():
            if name == "properties" and isinstance(value, dict):
                value.pop("title", None)
                value.setdefault("title", key)
    if isinstance(mended.get("enum"), list):
        mended["anyOf"] = [{"enum": mended.pop("enum")}, {"pattern": _FROM_ENVIRONMENT}]
    if isinstance(mended.get("pattern"), str):
        mended["pattern"] = f"({mended['pattern']})|{_FROM_ENVIRONMENT}"
    return mended
