"""Spellings that mean the same, made the same: names, address lines, postcodes, e-mail addresses.

Every function is idempotent, and gives up differences of spelling only: what may be another person stays different.
"""

import re
import unicodedata
from typing import Final

from email_validator import EmailNotValidError, validate_email

# Letters that Unicode does not take apart into a base and a mark.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
)
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼ`´"))

_ABBREVIATIONS: Final = {
    "street": "st",
    "saint": "st",
    "road": "rd",
    "avenue": "ave",
    "av": "ave",
    "lane": "ln",
    "drive": "dr",
    "close": "cl",
    "court": "ct",
    "crescent": "cres",
    "place": "pl",
    "square": "sq",
    "terrace": "ter",
    "terr": "ter",
    "gardens": "gdns",
    "grove": "gr",
    "boulevard": "blvd",
    "bd": "blvd",
    "highway": "hwy",
    "parkway": "pkwy",
    "apartment": "apt",
    "building": "bldg",
    "suite": "ste",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "strasse": "str",
}

_PROVIDERS: Final = (
    (r"gmail\.com", "plus, dots"),
    (r"(icloud|me|mac)\.com", "plus"),
    (r"msn\.com|(outlook|hotmail|live)\.(com|co\.uk|com\.(au|br|mx)|co\.jp|be|ca|de|dk|es|fr|ie|it|nl|no|se)", "plus"),
    (r"fastmail\.(com|fm)|pobox\.com", "plus"),
    (r"proton\.me|pm\.me|protonmail\.(com|ch)", "plus"),
    (r"runbox\.com|zoho(mail)?\.com|mailbox\.org|posteo\.(de|net)", "plus"),
)
"""Providers that deliver several spellings to one mailbox, and what they ignore: a tag after a plus, dots.

At all others a plus or a dot may be part of somebody's own name, so `a+b@` and `a@` stay two: a duplicate can be united
later, a false merge shows one person's orders to another.

Sources: Gmail's dots, support.google.com/mail/answer/7436150; its tags, support.google.com/mail/answer/22370;
Microsoft, learn.microsoft.com "Plus addressing in Exchange Online", and for its consumer domains practice only;
Fastmail, fastmail.help "Plus addressing"; Proton, proton.me/support "Addresses and aliases"; the others by the list at
en.wikipedia.org/wiki/Email_address#Sub-addressing. GMX and Yahoo are left out on purpose: the one has no tags, the
other divides them by a hyphen, which occurs in names.
"""
_SAME_DOMAINS: Final = {"googlemail.com": "gmail.com"}
_NOBODY: Final = frozenset(["noreply", "donotreply", "noemail", "nomail", "none", "unknown", "invalid", "notprovided"])


def plain(text: str) -> str:
    """Lower case, Latin letters without accents, apostrophes gone, other punctuation as one space.

    Marks of other scripts stay: in Japanese or Hindi they make another letter.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    letters: list[str] = []
    base = ""
    for letter in unicodedata.normalize("NFKD", folded):
        if not unicodedata.combining(letter):
            base = letter
        elif base.isascii() and base.isalpha():
            continue
        letters.append(letter)
    composed = unicodedata.normalize("NFC", "".join(letters)).translate(_APOSTROPHES)
    # By category, since `\w` takes the vowel signs of Indian scripts for punctuation.
    spaced = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in composed)
    return " ".join("".join(spaced).split())


def address_line(text: str) -> str:
    """A first address line with common words abbreviated: `12, High Street` is `12 high st`."""
    return " ".join(_abbreviated(word) for word in plain(text).split())


def _abbreviated(word: str) -> str:
    if word.endswith("strasse") and word != "strasse":
        return word.removesuffix("asse")
    return _ABBREVIATIONS.get(word, word)


def postcode(text: str, country: str) -> str:
    """A postcode without spaces and dashes; in the United States without the four digits of the delivery point."""
    code = plain(text).replace(" ", "")
    return code[:5] if country.upper() == "US" and len(code) == 9 and code.isdecimal() else code


def email(text: str) -> str | None:
    """The mailbox behind an e-mail address, or None if it is not one, or visibly nobody's (noreply@, …@x.invalid).

    Only the syntax is checked, nothing is asked of the network. Capitals never count; tags after a plus and dots do not
    where `_PROVIDERS` says so.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    # Not casefold(): that would make one mailbox of maße@ and masse@.
    local, domain = checked.local_part.lower(), checked.domain.lower()
    domain = _SAME_DOMAINS.get(domain, domain)
    ignored = next((rule for domains, rule in _PROVIDERS if re.fullmatch(domains, domain)), "")
    if "plus" in ignored:
        local = local.partition("+")[0] or local
    if "dots" in ignored:
        local = local.replace(".", "") or local
    nobody = re.sub(r"[._-]", "", local) in _NOBODY or domain.rpartition(".")[2] == "invalid"
    return None if nobody else f"{local}@{domain}"
