// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {
    HEAD, NOT_BEGUN, Once, Placed, Program, STARVED, Tape,
    affords, askWith, begin, finish, needed, overwrite, put, take, takeAddress
} from "./Tape.sol";

/// @title Ask the same questions about many accounts, in one eth_call at one block.
/// @notice A question is a public function that answers with one word, with a hole in its
/// arguments for the account; or for what an earlier question answered about the same account, as
/// vaults tell what shares are worth. Every call is static; whatever fails marks its own cell. How
/// it is run, and the head of its output: Tape.sol.
///
/// Input, packed, big-endian:
///   allowance u32 | floor u32 | questions n u16
///   n × ( kind u8 | after u16 | target address | hole u16 | size u16 | call data of that size )
///   accounts, an address each, to the end
///   kind   0 the native balance   1 a call, the hole filled with the account
///          2 a call, the hole filled with the answer to `after`
///   after  an earlier question, and only where that answered with other than zero is this one
///          asked; 0xffff for always
/// A call gets `allowance` gas, and is not begun unless that and `floor` are left.
///
/// Output, after the head:
///   entries u32
///   24 bytes per entry: account u32 | question u16 | status u8 | half u8 | word's half u128
/// Entries are in order of account and question. A word that is zero has none, one of over 128 bits
/// has two: half 1 with its upper bits, then half 0.
///   status 0 ok   1 reverted   3 too short an answer, or no contract
///          4 it may have failed for want of gas alone, or others of its question did
abstract contract GridProgram is Program {
    uint256 private constant NATIVE = 0;
    uint256 private constant OF_ACCOUNT = 1;
    uint256 private constant OF_ANSWER = 2;
    uint256 private constant ALWAYS = 0xffff;
    /// Failures that took much gas after which a question is not asked again.
    uint256 private constant PATIENCE = 2;

    struct Question {
        uint256 kind;
        uint256 after_;
        address target;
        uint256 hole; // where in memory its argument goes
        bytes data;
        uint256 answer; // about the account at hand; zero where there is none
        uint256 burnt; // failures that took much gas
        bool simple; // always asked, of the account itself
    }

    struct Run {
        Tape tape;
        uint256 allowance;
        uint256 entries;
    }

    function _run(bytes memory input) internal view override returns (uint256 from, uint256 size) {
        Run memory run;
        Tape memory tape = run.tape;
        tape.gasAtStart = gasleft();
        run.allowance = take(input, 0, 4);
        tape.floor = take(input, 4, 4);
        (Question[] memory questions, uint256 at) = _questions(input);
        begin(tape, 4);
        tape.gasAtItems = gasleft();
        uint256 count = (input.length - at) / 20;
        for (; tape.done < count; ++tape.done) {
            (uint256 out, uint256 entries) = (tape.out, run.entries);
            if (!_account(run, questions, takeAddress(input, at + 20 * tape.done))) {
                (tape.out, run.entries) = (out, entries);
                break;
            }
        }
        overwrite(tape.from + HEAD, run.entries, 4);
        return finish(tape, input);
    }

    function _questions(bytes memory input)
        private
        pure
        returns (Question[] memory questions, uint256 at)
    {
        questions = new Question[](take(input, 8, 2));
        at = 10;
        for (uint256 i; i < questions.length; ++i) {
            Question memory question = questions[i];
            question.kind = take(input, at, 1);
            question.after_ = take(input, at + 1, 2);
            question.simple = question.kind == OF_ACCOUNT && question.after_ == ALWAYS;
            question.target = takeAddress(input, at + 3);
            uint256 hole = take(input, at + 23, 2);
            bytes memory data = new bytes(take(input, at + 25, 2));
            at += 27;
            for (uint256 word; word < data.length; word += 32) {
                assembly ("memory-safe") {
                    mstore(add(add(data, 32), word), mload(add(add(add(input, 32), at), word)))
                }
            }
            assembly ("memory-safe") {
                hole := add(add(data, 32), hole)
            }
            (question.data, question.hole) = (data, hole);
            at += data.length;
        }
    }

    /// Ask every question about one account. False: the gas left is too little to do it whole.
    function _account(Run memory run, Question[] memory questions, address who)
        private
        view
        returns (bool)
    {
        for (uint256 place;; ++place) {
            uint256 answer;
            (place, answer) = _walk(run, questions, who, place);
            if (place == questions.length) return true;
            if (!_careful(run, questions, who, place, answer)) return false;
        }
    }

    /// Walk over the simple questions from a place on for as long as nothing is there. Return where
    /// that ends, and the answer that was found there; zero if that one is still to be asked.
    ///
    /// Nearly all of a run is this loop. It does what `_careful` does where that finds a zero.
    function _walk(Run memory run, Question[] memory questions, address who, uint256 from)
        private
        view
        returns (uint256 place, uint256 answer)
    {
        uint256 need = needed(run.tape, run.allowance);
        uint256 given = run.allowance;
        assembly ("memory-safe") {
            let most := div(mul(3, given), 4)
            let count := mload(questions)
            for { place := from } lt(place, count) { place := add(place, 1) } {
                let question := mload(add(add(questions, 32), shl(5, place)))
                if or(iszero(mload(add(question, 0xe0))), lt(gas(), need)) { break }
                let data := mload(add(question, 0x80))
                mstore(mload(add(question, 0x60)), who)
                let used := gas()
                // From right to left: the call comes first.
                if iszero(and(gt(returndatasize(), 31),
                    staticcall(given, mload(add(question, 0x40)), add(data, 32), mload(data), 0, 32)
                )) { break }
                used := sub(used, gas())
                // A success that used three quarters may be of the gas's making.
                if gt(used, most) { break }
                answer := mload(0)
                if answer { break }
                mstore(add(question, 0xa0), 0)
            }
        }
    }

    /// Ask one question, unless its answer is known already; write down what is not zero. False:
    /// the gas left is too little.
    function _careful(
        Run memory run, Question[] memory questions, address who, uint256 place, uint256 answer
    ) private view returns (bool) {
        Question memory question = questions[place];
        uint256 status;
        if (answer == 0) {
            question.answer = 0;
            uint256 argument = uint160(who);
            if (question.after_ != ALWAYS) {
                uint256 earlier = questions[question.after_].answer;
                if (earlier == 0) return true;
                if (question.kind == OF_ANSWER) argument = earlier;
            }
            if (question.kind == NATIVE) {
                if (!affords(run.tape, 0)) return false;
                answer = who.balance;
            } else if (question.burnt == PATIENCE) {
                status = STARVED;
            } else {
                (status, answer) = _ask(run, question, argument);
                if (status == NOT_BEGUN) return false;
                if (status == STARVED && ++question.burnt == PATIENCE) question.simple = false;
            }
            if (status | answer == 0) return true;
        }
        question.answer = answer;
        uint256 cell = run.tape.done << 32 | place << 16 | status << 8;
        if (answer >> 128 != 0) {
            put(run.tape, (cell | 1) << 128 | answer >> 128, 24);
            ++run.entries;
        }
        put(run.tape, cell << 128 | answer & type(uint128).max, 24);
        ++run.entries;
        return true;
    }

    function _ask(Run memory run, Question memory question, uint256 argument)
        private
        view
        returns (uint256 status, uint256 value)
    {
        (uint256 hole, bytes memory data) = (question.hole, question.data);
        uint256 at;
        assembly ("memory-safe") {
            mstore(hole, argument)
            at := add(data, 32)
        }
        return askWith(run.tape, run.allowance, question.target, at, data.length);
    }
}

contract GridLens is GridProgram, Placed {}

contract GridLensOnce is GridProgram, Once {}
