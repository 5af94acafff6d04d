// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {LendingReserves} from "./LendingLensReserves.sol";
import {needed} from "./Tape.sol";

/// @title The lending lens's inner loop: what goes well, which is nearly all of every run.
/// @notice It does what `LendingProgram` does call by call, in a fraction of its instructions, and
/// stops wherever a call needs more care. Whether both write the same is a test.
abstract contract LendingWalk is LendingReserves {
    // Steps at one reserve.
    uint256 internal constant SUPPLY = 0;
    uint256 internal constant DEBTS = 1;
    uint256 internal constant HELD = 2;

    uint256 internal constant STABLE = 1;
    uint256 internal constant BORROWING = // the flags of debts
        0x5555555555555555555555555555555555555555555555555555555555555555;
    uint256 private constant MOST = 0xffffffffffffffffffffffffffffffff;
    /// Gas for the digest over the entries that one reserve can have.
    uint256 private constant DIGEST = 36;
    uint256 internal constant NEVER = type(uint256).max;

    bytes4 internal constant SCALED = IToken.scaledBalanceOf.selector;
    bytes4 internal constant BALANCE = IToken.balanceOf.selector;
    bytes4 internal constant PRINCIPAL = IToken.principalBalanceOf.selector;

    /// Lay out what tokens are asked about the account, and which reserves are to be read.
    function _ask(Run memory run, uint256 reserves) internal pure {
        uint256[6] memory asked = run.asked;
        address account = run.account;
        (bytes4 scaled, bytes4 held, bytes4 principal) = (SCALED, BALANCE, PRINCIPAL);
        assembly ("memory-safe") {
            mstore(asked, scaled)
            mstore(add(asked, 4), account)
            mstore(add(asked, 64), held)
            mstore(add(asked, 68), account)
            mstore(add(asked, 128), principal)
            mstore(add(asked, 132), account)
        }
        unchecked {
            // Of one reserve there are four calls, at most.
            run.need = run.burnt ? NEVER : 4 * needed(run.tape, run.allowance) + DIGEST * reserves;
        }
        uint256 configuration = run.configuration;
        run.rest = run.told;
        if (run.all == 0) run.rest &= configuration | configuration >> 1;
    }

    /// Walk over the rest of the reserves, asking what is to be asked and writing down what is
    /// there. Ends after the last, or at a step at one of them that is to be done more carefully,
    /// of which nothing is written.
    function _walk(Run memory run) internal view {
        assembly ("memory-safe") {
            /// The answer to the call data at `data`; over 128 bits where that needs more care.
            function quick(of, token, data) -> amount {
                let used := gas()
                let ok := staticcall(mload(add(of, 0x60)), token, data, 36, 0, 32)
                // A success that used three quarters may be of the gas's making.
                ok := gt(mul(ok, mload(add(of, 0x120))), sub(used, gas()))
                amount := or(mload(0), sub(and(ok, gt(returndatasize(), 31)), 1))
            }
            function write(of, reserve, kind, amount) {
                let tape := mload(add(of, 0xe0))
                let out := mload(add(tape, 32))
                let head := or(shl(224, mload(add(of, 0x140))), or(shl(208, mload(reserve)), kind))
                mstore(out, or(head, shl(64, amount)))
                mstore(add(tape, 32), add(out, 24))
                mstore(add(of, 0x160), add(mload(add(of, 0x160)), 1))
            }

            let table := mload(add(run, 0x1a0))
            let asked := mload(add(run, 0x80))
            let rest := mload(add(run, 0xa0))
            let step := SUPPLY
            for {} rest { rest := and(rest, sub(rest, 1)) } {
                let bit := and(rest, sub(0, rest))
                let reserve := mload(add(table, shl(5, mod(bit, MODULUS))))
                if lt(gas(), mload(add(run, 0x100))) { break }
                if or(mload(add(run, 0x20)), and(mload(run), shl(1, bit))) {
                    let amount := quick(run, mload(add(reserve, 0x20)), asked)
                    if amount {
                        if gt(amount, MOST) { break }
                        write(run, reserve, 0, amount)
                    }
                }
                if and(mload(run), bit) {
                    step := DEBTS
                    let traits := mload(add(reserve, 0x80))
                    if gt(traits, STABLE) { break }
                    let amount := 0
                    if mload(add(run, 0x180)) {
                        amount := quick(run, mload(add(reserve, 0xc0)), asked)
                        if gt(amount, MOST) { break }
                    }
                    if traits {
                        if quick(run, mload(add(reserve, 0xa0)), add(asked, 128)) { break }
                    }
                    if amount { write(run, reserve, shl(200, 1), amount) }
                    step := SUPPLY
                }
                if mload(add(run, 0x40)) {
                    let amount := quick(run, mload(add(reserve, 0x40)), add(asked, 64))
                    if amount {
                        if gt(amount, MOST) {
                            step := HELD
                            break
                        }
                        write(run, reserve, shl(200, 3), amount)
                    }
                }
            }
            mstore(add(run, 0xa0), rest)
            mstore(add(run, 0xc0), step)
        }
    }
}

interface IToken {
    function balanceOf(address account) external view returns (uint256);
    function scaledBalanceOf(address account) external view returns (uint256);
    function principalBalanceOf(address account) external view returns (uint256);
    function getUserStableRate(address account) external view returns (uint256);
    function getUserLastUpdated(address account) external view returns (uint256);
    function getDiscountPercent(address account) external view returns (uint256);
    function getPreviousIndex(address account) external view returns (uint256);
}
