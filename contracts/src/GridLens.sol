// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {
    HEAD, NOT_BEGUN, OK, Once, Placed, Program, STARVED, Tape,
    affords, askWith, begin, finish, overwrite, put, take, takeAddress
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
        unchecked {
            for (uint256 i; i < questions.length; ++i) {
                Question memory question = questions[i];
                question.answer = 0;
                uint256 argument = uint160(who);
                if (question.after_ != ALWAYS) {
                    uint256 earlier = questions[question.after_].answer;
                    if (earlier == 0) continue;
                    if (question.kind == OF_ANSWER) argument = earlier;
                }
                uint256 status = STARVED;
                uint256 answer;
                if (question.kind == NATIVE) {
                    if (!affords(run.tape, 0)) return false;
                    (status, answer) = (OK, who.balance);
                } else if (question.burnt < PATIENCE) {
                    (status, answer) = _ask(run, question, argument);
                    if (status == NOT_BEGUN) return false;
                    if (status == STARVED) ++question.burnt;
                }
                // Nearly always nothing is there.
                if (status | answer == 0) continue;
                question.answer = answer;
                uint256 cell = run.tape.done << 32 | i << 16 | status << 8;
                if (answer >> 128 != 0) {
                    put(run.tape, (cell | 1) << 128 | answer >> 128, 24);
                    ++run.entries;
                }
                put(run.tape, cell << 128 | answer & type(uint128).max, 24);
                ++run.entries;
            }
            return true;
        }
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
