"""The `[[chains.X.venues]]` rows: which kinds and keys there are is what the executor says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from underkeel.config.problems import did_you_mean
from underkeel.config.values import refuse

if TYPE_CHECKING:
    from executor.swaps import Venue
    from underkeel.config.model import ChainTable


@dataclass(frozen=True, slots=True)
class VenueRow:
    """A checked row."""

    given: Mapping[str, Any]

    @property
    def venue(self) -> "Venue":
        """The venue that the row describes."""
        from executor.swaps import parse

        return parse(self.given)


def venue_row(value: object) -> VenueRow:
    """Return a row that describes a venue; raise what is wrong with it."""
    # Here, because most commands swap nothing.
    from executor.swaps.rows import KINDS, BadVenue

    if isinstance(value, VenueRow):
        return value
    if not isinstance(value, dict):
        raise refuse("is not a table", "write [[chains.NAME.venues]] and its keys below")
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"kind {kind!r} is none" if "kind" in value else "kind is missing"
        raise refuse(what, did_you_mean(kind if isinstance(kind, str) else "", KINDS))
    row = VenueRow({"name": kind, **value})
    try:
        _ = row.venue
    except BadVenue as error:
        raise refuse(error.reason) from None
    return row


def venues_of(chain: "ChainTable") -> "tuple[Venue, ...]":
    """Return where a chain's tokens are swapped: the config's venues, and the known ones.

    A row of the config that has the name of a known venue replaces it.
    """
    from executor.swaps import venues

    ours = tuple(row.venue for row in chain.venues)
    names = {venue.name for venue in ours}
    known = venues(chain.chain_id) if chain.defaults else ()
    return (*ours, *(venue for venue in known if venue.name not in names))


def venue_schema() -> dict[str, Any]:
    """Return the JSON schema of one row."""
    from executor.swaps.rows import KINDS

    return {
        "oneOf": [
            {
                "type": "object",
                "title": name,
                "properties": {
                    "kind": {"const": name},
                    "name": {"type": "string"},
                    **{key: {} for key in (*kind.needed, *kind.optional)},
                },
                "required": ["kind", *kind.needed],
                "additionalProperties": False,
            }
            for name, kind in KINDS.items()
        ]
    }
