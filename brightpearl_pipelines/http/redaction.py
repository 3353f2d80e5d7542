"""Takes secrets and e-mail addresses out of anything that is logged, stored or shown: paths, queries, messages."""

import re

MASK = "***"

_SENSITIVE = r"(?:token|secret|password|passwd|api[-_]?key|authori[sz]ation|signature|credential|assertion)"
# key=value, "key": "value", key: value. The key may have a longer name around the word (access_token, X-Auth-Token).
_NAMED = re.compile(
    rf"""(?P<key>[\w.-]*{_SENSITIVE}[\w.-]*["']?\s*[:=]\s*["']?(?:(?:bearer|basic)\s+)?)(?P<value>[^\s"'&,;}}\]]+)""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?P<key>bearer|basic)\s+(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
# An authorisation code in a query; a bare `code` elsewhere is an error code and must stay readable.
_CODE = re.compile(r"(?P<key>[?&]code=)(?P<value>[^&\s]+)")
_USER_INFO = re.compile(r"(?P<key>://)(?P<value>[^/@\s]+)(?=@)")
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with the values of secrets and all e-mail addresses (plain or percent-encoded) masked as `***`."""
    text = _USER_INFO.sub(rf"\g<key>{MASK}", text)
    for pattern in (_NAMED, _CODE):
        text = pattern.sub(rf"\g<key>{MASK}", text)
    text = _SCHEME.sub(rf"\g<key> {MASK}", text)
    return _EMAIL.sub(MASK, text)
