// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import { HEAD, Placed, Program, Tape, begin, finish, overwrite, take, takeAddress } from "./Tape.sol";

/// @title Read what contracts' mappings hold for many accounts, from their storage, in one eth_call.
/// @notice Nothing is known of any layout here: the caller says which mapping is meant, gets whole
/// words, and has to prove what they mean. Code of ours alone is run. This program is put at LENS,
/// and at each contract that is read a stub which delegates to it (EIP-1167), so that SLOAD reads
/// that contract's storage: in this eth_call these contracts have no functions.
///
/// Input, packed, big-endian:
///   gas for an account u32 | mask bytes b u8 | jobs n u16
///   | n × (contract | slot 32 | slots u16 | order u8) | accounts: (address | mask b), to the end
/// A job reads, of each account whose mask has the job's bit, the words of the mappings at `slots`
/// slots from `slot` on. The first job is the first byte's highest bit.
///   order 0 key before slot, as Solidity hashes   1 slot before key, as Vyper does
///         2 added: of every account, whatever the masks; one slot only
///
/// Output, after the head:
///   n × (status u8 | implementation | its code hash 32 | entries u32)
///   entries of the first job, of the second …: job u16 | slot's place u16 | account u32 | word 32
/// Words that are zero have no entry; a job's are in order of account and slot. The implementation
/// is what the contract's storage names as such (EIP-1967, or OpenZeppelin's slot before that); zero
/// where it names none. Where gas ran short, no accounts are done; a status that is not 0 never
/// comes with accounts that are.
contract StorageLens is Placed {
    address private constant LENS = address(uint160(uint256(keccak256("underkeel.lens"))));
    bytes32 private constant IMPLEMENTATION =
        0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant FORMER_IMPLEMENTATION =
        keccak256("org.zeppelinos.proxy.implementation");

    uint256 private constant OWN_HEAD = 7;
    uint256 private constant JOB = 55;
    uint256 private constant TOLD = 57;
    uint256 private constant ENTRY = 40;
    /// Bytes of what a stub is told before the accounts: job u16 | bytes of an account u8
    /// | slot 32 | slots u16 | order u8.
    uint256 private constant ASKED = 38;
    /// Of what a stub says before its entries: implementation, code hash.
    uint256 private constant SAID = 52;
    uint256 private constant EVERY = 2;
    /// Gas for a job without accounts, and for the end.
    uint256 private constant JOB_GAS = 12_000;
    uint256 private constant FLOOR = 150_000;

    function _run(bytes memory input) internal view override returns (uint256 from, uint256 size) {
        if (address(this) != LENS) return _read(input);
        Tape memory tape;
        tape.gasAtStart = gasleft();
        uint256 each = take(input, 0, 4);
        uint256 width = 20 + take(input, 4, 1);
        uint256 jobs = take(input, 5, 2);
        uint256 at = OWN_HEAD + JOB * jobs;
        uint256 count = (input.length - at) / width;

        bytes memory asked = new bytes(ASKED + width * count + 32);
        assembly ("memory-safe") {
            // By words: the last one may be longer than what is left.
            let source := add(add(input, 32), at)
            let target := add(add(asked, 32), ASKED)
            for { let i := 0 } lt(i, mul(width, count)) { i := add(i, 32) } {
                mstore(add(target, i), mload(add(source, i)))
            }
        }
        begin(tape, TOLD * jobs);
        tape.gasAtItems = gasleft();
        uint256 needed = FLOOR + JOB_GAS * jobs;
        uint256 room = tape.gasAtItems > needed ? tape.gasAtItems - needed : 0;
        tape.done = each * count > room ? room / each : count;
        if (tape.done != 0 || count == 0) _jobs(tape, input, asked, jobs, width);
        return finish(tape, input);
    }

    function _jobs(
        Tape memory tape, bytes memory input, bytes memory asked, uint256 jobs, uint256 width
    ) private view {
        uint256 size = ASKED + width * tape.done;
        uint256 told = tape.from + HEAD;
        for (uint256 job; job < jobs; ++job) {
            uint256 at = OWN_HEAD + JOB * job;
            address target = takeAddress(input, at);
            overwrite(_at(asked, 0), job << 8 | width, 3);
            overwrite(_at(asked, 3), take(input, at + 20, 32), 32);
            overwrite(_at(asked, 35), take(input, at + 52, 3), 3);
            uint256 out = tape.out;
            uint256 added;
            bool ok;
            assembly ("memory-safe") {
                ok := staticcall(gas(), target, add(asked, 32), size, 0, 0)
                added := sub(returndatasize(), SAID)
                ok := and(ok, and(gt(returndatasize(), sub(SAID, 1)), iszero(mod(added, ENTRY))))
                if ok {
                    returndatacopy(add(told, 1), 0, SAID)
                    returndatacopy(out, SAID, added)
                }
            }
            if (!ok) {
                // A stub fails for want of gas only.
                overwrite(told, 1, 1);
                tape.done = 0;
                tape.out = tape.from + HEAD + TOLD * jobs;
                return;
            }
            overwrite(told + 53, added / ENTRY, 4);
            tape.out = out + added;
            told += TOLD;
        }
    }

    function _at(bytes memory data, uint256 offset) private pure returns (uint256 at) {
        assembly ("memory-safe") {
            at := add(add(data, 32), offset)
        }
    }

    /// What a stub does: read the storage of the contract that it stands for.
    function _read(bytes memory asked) private view returns (uint256 from, uint256 size) {
        assembly ("memory-safe") {
            from := mload(0x40)
        }
        _name(from);
        bool every = take(asked, 37, 1) & EVERY != 0;
        size = (every ? _every(asked, from + SAID) : _words(asked, from + SAID)) - from;
    }

    /// Write the implementation that the contract's storage names, and its code hash.
    function _name(uint256 at) private view {
        bytes32 slot = IMPLEMENTATION;
        bytes32 former = FORMER_IMPLEMENTATION;
        assembly ("memory-safe") {
            let named := sload(slot)
            if iszero(named) { named := sload(former) }
            named := shl(96, named)
            mstore(at, named)
            mstore(add(at, 20), extcodehash(shr(96, named)))
        }
    }

    /// Do what `_words` does where it is asked of every account, of one slot: nearly all of a run
    /// is this loop.
    function _every(bytes memory asked, uint256 at) private view returns (uint256 out) {
        uint256 head = take(asked, 0, 2) << 240;
        uint256 width = take(asked, 2, 1);
        uint256 slot = take(asked, 3, 32);
        uint256 key = take(asked, 37, 1) % EVERY * 32;
        out = at;
        assembly ("memory-safe") {
            let first := add(add(asked, 32), ASKED)
            let end := add(add(asked, 32), mload(asked))
            mstore(sub(32, key), slot)
            for { let item := first } lt(item, end) { item := add(item, width) } {
                mstore(key, shr(96, mload(item)))
                let word := sload(keccak256(0, 64))
                if word {
                    mstore(out, or(head, shl(192, div(sub(item, first), width))))
                    mstore(add(out, 8), word)
                    out := add(out, ENTRY)
                }
            }
        }
    }

    /// Write an entry for each word asked for that is not zero; return where they end.
    function _words(bytes memory asked, uint256 at) private view returns (uint256 out) {
        uint256 head = take(asked, 0, 2);
        uint256 width = take(asked, 2, 1);
        uint256 slot = take(asked, 3, 32);
        uint256 slots = take(asked, 35, 2);
        uint256 key = take(asked, 37, 1) * 32;
        out = at;
        assembly ("memory-safe") {
            let item := add(add(asked, 32), ASKED)
            let end := add(add(asked, 32), mload(asked))
            let place := add(20, shr(3, head)) // of the byte of the mask
            let bit := shl(sub(7, and(head, 7)), 1)
            head := shl(240, head)
            let one := shl(192, 1) // account
            mstore(sub(32, key), slot)
            for {} lt(item, end) {
                item := add(item, width)
                head := add(head, one)
            } {
                if and(byte(0, mload(add(item, place))), bit) {
                    mstore(key, shr(96, mload(item)))
                    let word := sload(keccak256(0, 64))
                    if word {
                        mstore(out, head)
                        mstore(add(out, 8), word)
                        out := add(out, ENTRY)
                    }
                    if gt(slots, 1) {
                        for { let i := 1 } lt(i, slots) { i := add(i, 1) } {
                            mstore(sub(32, key), add(slot, i))
                            word := sload(keccak256(0, 64))
                            if word {
                                mstore(out, or(head, shl(224, i)))
                                mstore(add(out, 8), word)
                                out := add(out, ENTRY)
                            }
                        }
                        mstore(sub(32, key), slot)
                    }
                }
            }
        }
    }
}
