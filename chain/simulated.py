"""One simulation at one endpoint: what is asked for, round by round, and what the answers say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from chain import relay, wire
from chain.calls import Call, NoCode, Ok, Read, Result, Reverted, Run, Storage, Unknown
from chain.endpoint import Endpoint, Pin
from chain.errors import BlockUnknown, EndpointError, Malformed, RateLimited, RpcError, Unsupported
from chain.simulation import CannotRun, Message, Outcome, Override, Way
from chain.simulation_ways import NOBODY, Asked, by_call, by_simulate
from chain.types import Address, BlockRef
from chain.wire import Ask
from chain.work import Rules, about_pin, loosen

ROUNDS: Final = 4
"""Requests after which what still lacked gas is unknown."""
NO_HASH: Final = "0x" + "0" * 64


class Session:
    """What a program reads after some messages, by one way, at one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        rules: Rules,
        way: Way,
        block: BlockRef,
        messages: Sequence[Message],
        overrides: Mapping[Address, Override],
    ) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._way = way
        self._block = block
        self._messages = tuple(messages)
        self._overrides = dict(overrides)
        self._outcomes: tuple[Outcome, ...] | None = None
        if way is Way.CALL:
            self._check_senders()

    def settled(self) -> tuple[Outcome, ...]:
        """Return what the messages did; known once anything was read."""
        assert self._outcomes is not None
        return self._outcomes

    def read(self, reads: Sequence[Read]) -> list[Result]:
        """Return one result per read, in order, as after all messages."""
        results: dict[Read, Result] = {}
        together: list[Read] = []
        alone: list[Read] = []
        for read in dict.fromkeys(reads):
            why = _unreadable(read)
            if why is not None:
                results[read] = why
            else:
                (together if relay.takes(read) else alone).append(read)
        for _ in range(ROUNDS):
            starved = self._round(together, alone, results)
            if not starved:
                break
            # what lacked gas in company is read alone; only the relay follows pointers
            alone = [r for r in starved if isinstance(r, Call) and isinstance(r.target, str)]
            together = [r for r in starved if r not in alone][:1]
        lacking = Unknown(f"{self._endpoint.label}: not enough gas to read it in a simulation")
        return [results.get(read, lacking) for read in reads]

    def _round(
        self, together: Sequence[Read], alone: Sequence[Read], results: dict[Read, Result]
    ) -> list[Read]:
        """Ask for everything in one POST; return what there was not enough gas for."""
        size = max(1, self._endpoint.limits.chunk)
        programs: list[relay.Program] = []
        for start in range(0, max(1, len(together)), size):
            program = relay.Program()
            for read in together[start : start + size]:
                program.add(read)
            programs.append(program)
        texts = [program.encode() for program in programs]
        whole = self._asked([Message(NOBODY, relay.ADDRESS, text) for text in texts])
        first = [whole, whole] if self._outcomes is None else [whole]
        singles = [self._asked([_message(read)]) for read in alone]
        answers = self._post([asked.ask for asked in (*first, *singles)])
        refusal = next((a for a in answers if isinstance(a, EndpointError)), None)
        if refusal is not None:
            self._refused(refusal)
        if answers[0] != answers[len(first) - 1]:
            raise Malformed(self._endpoint.label, "two answers to the same simulation")
        starved: list[Read] = []
        ran = self._take(whole, answers[0])
        for program, text, outcome in zip(programs, texts, ran, strict=True):
            starved += self._settle(program, text, outcome, results)
        for read, asked, answer in zip(alone, singles, answers[len(first) :], strict=True):
            (outcome,) = self._take(asked, answer)
            results[read] = Ok(outcome.output) if outcome.ok else Reverted(outcome.output)
        return starved

    def _settle(
        self, program: relay.Program, text: bytes, ran: Outcome, results: dict[Read, Result]
    ) -> list[Read]:
        try:
            output = relay.decode(text, len(program), ran.output if ran.ok else b"")
        except relay.Corrupt as error:
            raise CannotRun(self._endpoint.label, f"our reader's answer: {error}") from None
        self._check_block(output)
        here: dict[Read, relay.Answer] = {}
        starved: list[Read] = []
        for (read, hidden), answer in zip(program.hidden.items(), output.answers, strict=True):
            if answer is relay.DANGLING:
                assert isinstance(read, Call)
                assert not isinstance(read.target, str)
                answer = here[read.target.call]
            here[read] = answer
            if not hidden:
                if isinstance(answer, Ok | Reverted | NoCode | Unknown):
                    results[read] = answer
                else:
                    starved.append(read)
        return starved

    def _check_block(self, output: relay.Output) -> None:
        block, label = self._block, self._endpoint.label
        number_wrong = output.number != block.number and not self._rules.l1_block_number
        if number_wrong or output.timestamp != block.timestamp:
            raise CannotRun(
                label,
                f"it ran in block {output.number} at {output.timestamp}, "
                f"not in {block.number} at {block.timestamp}",
            )
        told = self._way is Way.SIMULATE and self._rules.parent_hash
        if told and output.parent_hash not in (block.parent_hash, NO_HASH):
            raise CannotRun(label, "it ran on top of another block")

    def _take(self, asked: Asked, answer: Any) -> tuple[Outcome, ...]:
        """Keep what the messages did; return what the reads after them did."""
        outcomes = asked.outcomes(answer)
        mine, rest = outcomes[: len(self._messages)], outcomes[len(self._messages) :]
        if self._outcomes is None:
            self._outcomes = mine
        elif mine != self._outcomes:
            raise Malformed(self._endpoint.label, "two outcomes of the same messages")
        return rest

    def _refused(self, error: EndpointError) -> NoReturn:
        if isinstance(error, BlockUnknown | RateLimited) or not isinstance(error, RpcError):
            raise error
        if self._way is Way.SIMULATE and isinstance(error, Unsupported):
            self._endpoint.limits.simulates = False
        raise CannotRun(self._endpoint.label, error.text)

    # Requests

    def _asked(self, reads: Sequence[Message]) -> Asked:
        make = by_simulate if self._way is Way.SIMULATE else by_call
        limits = self._endpoint.limits
        return make(
            self._endpoint.label, self._block, self._messages, reads, self._overrides, limits.gas
        )

    def _post(self, asks: Sequence[Ask]) -> list[Any]:
        """Return the answers; where the endpoint refuses how the block is named, name it anew."""
        endpoint = self._endpoint
        for _ in Pin:
            pin = endpoint.limits.pin
            guard: list[Ask] = []
            if pin is Pin.NUMBER:
                guard = [Ask("eth_getBlockByNumber", [self._name(pin), False])]
            found = endpoint.post([*guard, *(self._pinned(a, pin) for a in asks), *guard])
            refusal = next((a for a in found if isinstance(a, EndpointError)), None)
            if refusal is not None and about_pin(refusal) and loosen(endpoint, pin):
                continue
            if not guard:
                return found
            for answer in (found[0], found[-1]):
                self._check_guard(answer)
            return found[1:-1]
        raise CannotRun(endpoint.label, "it names blocks in no way that we know")

    def _check_guard(self, answer: Any) -> None:
        label = self._endpoint.label
        if isinstance(answer, EndpointError):
            raise answer
        seen = None if answer is None else wire.block(label, self._block.chain_id, answer)
        if seen is None or seen.hash != self._block.parent_hash:
            raise BlockUnknown(label, -32001, "the block left its chain")

    def _name(self, pin: Pin) -> Any:
        if pin is Pin.NUMBER:
            return hex(self._block.number - 1)
        named: dict[str, Any] = {"blockHash": self._block.parent_hash}
        return named | ({"requireCanonical": True} if pin is Pin.CANONICAL else {})

    def _pinned(self, ask: Ask, pin: Pin) -> Ask:
        return Ask(ask.method, [ask.params[0], self._name(pin), *ask.params[1:]])

    def _check_senders(self) -> None:
        """Refuse what the actor cannot stand in for: a sender that has code of its own."""
        senders = tuple(dict.fromkeys(m.sender for m in self._messages))
        codes = self._post([Ask("eth_getCode", [s]) for s in senders]) if senders else ()
        for sender, answer in zip(senders, codes, strict=True):
            if isinstance(answer, EndpointError):
                raise answer
            own = self._overrides.get(sender)
            if wire.data(self._endpoint.label, answer) or (own is not None and own.code):
                raise CannotRun(self._endpoint.label, f"the sender {sender} has code of its own")


def _message(read: Read) -> Message:
    assert isinstance(read, Call)
    assert isinstance(read.target, str)
    return Message(read.sender or NOBODY, read.target, read.data)


def _unreadable(read: Read) -> Unknown | None:
    """Return why a simulation does not make a read; None where it does."""
    if isinstance(read, Run | Storage):
        return Unknown("neither lenses nor storage are read in a simulation")
    if not relay.takes(read) and not (isinstance(read, Call) and isinstance(read.target, str)):
        return Unknown("a read with a sender behind a pointer is not made in a simulation")
    return None
