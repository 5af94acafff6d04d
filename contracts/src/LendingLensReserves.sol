// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {OK, Program, TOO_SHORT, TOO_WIDE, Tape, ask, begin, put, take, takeAddress} from "./Tape.sol";

/// Learn the reserves of the lending lens: from its input, or by looking the pool up.
abstract contract LendingReserves is Program {
    uint256 internal constant UNTOLD = 4;
    uint256 internal constant OWN_HEAD = 47;
    uint256 internal constant FACTS = 8;
    uint256 internal constant GIVEN = 83;
    uint256 internal constant LISTED = 221;
    uint256 internal constant MOST_RESERVES = 128;
    uint256 private constant UNKNOWN_ID = 128; // past the end of every configuration
    uint256 internal constant MODULUS = 263;

    // The members of both are read by assembly too, which knows their places.
    struct Reserve {
        uint256 place; // as listed
        address aToken;
        address asset;
        uint256 burnt; // eight bits per kind: failures that took much gas
        uint256 traits;
        address stableToken;
        address debtToken;
    }

    struct Run {
        uint256 configuration;
        uint256 all; // whether supply that is no collateral is read too
        uint256 wallet; // whether balances of the assets are read too
        uint256 allowance;
        uint256[6] asked; // call data about the account, 64 bytes each: SCALED, BALANCE, PRINCIPAL
        uint256 rest; // the bits, as in `told`, of reserves that are still to be read
        uint256 step; // at the first of these
        Tape tape;
        uint256 need; // gas that must be left for all reads of one reserve to be begun
        uint256 most; // gas of which a call that goes well leaves a quarter of its allowance
        uint256 index;
        uint256 entries;
        uint256 owed; // whether variable debt is read
        uint256 table; // of reserves by bit: what `_place` looks up
        uint256 told; // the bit that says `owes`, of every reserve that tells of itself
        bool burnt; // whether any call took much gas and failed
        uint256 mode;
        uint256 heavy;
        address root;
        address pool;
        address oracle;
        address account;
        uint256 listed; // where the reserves are written; 0 where they are not
    }

    /// Make room for the reserves.
    function _room(Run memory run, uint256 count) private pure returns (Reserve[] memory reserves) {
        reserves = new Reserve[](count);
        for (uint256 i; i < count; ++i) reserves[i].place = i;
        assembly ("memory-safe") {
            // Fresh memory is zero.
            mstore(add(run, 0x1a0), mload(0x40))
            mstore(0x40, add(mload(0x40), mul(32, MODULUS)))
        }
    }

    /// Have a reserve read. Powers of four up to 4^127 differ modulo `MODULUS`.
    function _tell(Run memory run, Reserve memory reserve, uint256 id) private pure {
        if (reserve.aToken == address(0) || id > 127) return;
        run.told |= 1 << 2 * id;
        assembly ("memory-safe") {
            let bit := shl(mul(2, id), 1)
            mstore(add(mload(add(run, 0x1a0)), shl(5, mod(bit, MODULUS))), reserve)
        }
    }

    /// Return the place of the reserve that the lowest of some bits, of which there is one, means.
    function _place(Run memory run, uint256 bits) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            let bit := and(bits, sub(0, bits))
            place := mload(mload(add(mload(add(run, 0x1a0)), shl(5, mod(bit, MODULUS)))))
        }
    }

    /// Take the reserves from the input.
    function _given(Run memory run, bytes memory input)
        internal
        pure
        returns (Reserve[] memory reserves)
    {
        reserves = _room(run, take(input, 33, 2));
        uint256 at = 35;
        for (uint256 i; i < reserves.length; ++i) {
            Reserve memory reserve = reserves[i];
            reserve.traits = take(input, at + 2, 1);
            reserve.asset = takeAddress(input, at + 3);
            reserve.aToken = takeAddress(input, at + 23);
            reserve.stableToken = takeAddress(input, at + 43);
            reserve.debtToken = takeAddress(input, at + 63);
            _tell(run, reserve, take(input, at, 2));
            at += GIVEN;
        }
        begin(run.tape, OWN_HEAD);
    }

    /// Look the pool up, then every reserve of it with its price, and write them out.
    /// Where there is no pool, oracle or list to be had, there are no reserves.
    function _resolve(Run memory run) internal view returns (Reserve[] memory reserves) {
        uint256[16] memory facts;
        run.pool = _address(_fact(run, facts, 0, run.root, IProvider.getPool.selector));
        run.oracle = _address(_fact(run, facts, 1, run.root, IProvider.getPriceOracle.selector));
        address sentinel = address(
            uint160(_fact(run, facts, 2, run.root, IProvider.getPriceOracleSentinel.selector))
        );
        _fact(run, facts, 3, run.pool, IPool.POOL_REVISION.selector);
        _fact(run, facts, 4, run.oracle, IOracle.BASE_CURRENCY.selector);
        _fact(run, facts, 5, run.oracle, IOracle.BASE_CURRENCY_UNIT.selector);
        _fact(run, facts, 6, run.oracle, IOracle.getFallbackOracle.selector);
        _fact(run, facts, 7, sentinel, ISentinel.isLiquidationAllowed.selector);
        address[] memory assets = _list(run);
        reserves = _room(run, assets.length);
        uint256[17] memory words;
        begin(run.tape, OWN_HEAD);
        for (uint256 i; i < FACTS; ++i) {
            put(run.tape, facts[2 * i], 1);
            put(run.tape, facts[2 * i + 1], 32);
        }
        run.listed = run.tape.out;
        for (uint256 i; i < assets.length; ++i) {
            Reserve memory reserve = reserves[i];
            reserve.asset = assets[i];
            reserve.traits = UNTOLD;
            _reserve(run, reserve, words);
        }
    }

    function _fact(
        Run memory run, uint256[16] memory facts, uint256 place, address target, bytes4 selector
    ) private view returns (uint256 value) {
        // Whatever is in the argument's place is ignored.
        (facts[2 * place], value) = ask(run.tape, run.heavy, target, selector, address(0));
        facts[2 * place + 1] = value;
    }

    /// Return an address that the provider names; zero where it names none.
    function _address(uint256 value) private pure returns (address) {
        return value >> 160 == 0 ? address(uint160(value)) : address(0);
    }

    function _reserve(Run memory run, Reserve memory reserve, uint256[17] memory words) private view {
        uint256 first = _data(run, reserve.asset, words);
        uint256 id = UNKNOWN_ID;
        if (first == OK) {
            assembly ("memory-safe") {
                id := mload(add(words, 224))
                mstore(add(reserve, 0x20), mload(add(words, 256)))
                mstore(add(reserve, 0xa0), mload(add(words, 288)))
                mstore(add(reserve, 0xc0), mload(add(words, 320)))
            }
        }
        _tell(run, reserve, id);
        first = first << 24 | UNTOLD << 16 | id;
        (uint256 priced, uint256 price) =
            ask(run.tape, run.heavy, run.oracle, IOracle.getAssetPrice.selector, reserve.asset);
        Tape memory tape = run.tape;
        assembly ("memory-safe") {
            // One after the other: what follows the end of each is written next.
            let at := mload(add(tape, 32))
            mstore(add(tape, 32), add(at, LISTED))
            mstore(at, or(shl(224, first), shl(64, mload(add(reserve, 0x40)))))
            mstore(add(at, 24), mload(words))
            mstore(add(at, 56), or(shl(128, mload(add(words, 32))), mload(add(words, 64))))
            mstore(add(at, 88), or(shl(128, mload(add(words, 96))), mload(add(words, 128))))
            mstore(add(at, 120), shl(192, mload(add(words, 192))))
            mstore(add(at, 128), shl(96, mload(add(words, 256))))
            mstore(add(at, 148), shl(96, mload(add(words, 288))))
            mstore(add(at, 168), shl(96, mload(add(words, 320))))
            mstore(add(at, 188), shl(248, priced))
            mstore(add(at, 189), price)
        }
    }

    /// Read `getReserveData` into `words`; zeros where it fails or does not fit its types.
    function _data(Run memory run, address asset, uint256[17] memory words)
        private
        view
        returns (uint256 status)
    {
        // Asked for its first word by the guarded way; all of the answer is still there after.
        (status,) = ask(run.tape, run.heavy, run.pool, IPool.getReserveData.selector, asset);
        assembly ("memory-safe") {
            switch gt(returndatasize(), 479)
            case 1 { if iszero(status) { returndatacopy(words, 0, 480) } }
            default { if iszero(status) { status := TOO_SHORT } }
            if iszero(status) {
                let wide := or(mload(add(words, 32)), mload(add(words, 64)))
                wide := or(or(wide, mload(add(words, 96))), mload(add(words, 128)))
                wide := shr(128, or(wide, mload(add(words, 160))))
                wide := or(wide, shr(40, mload(add(words, 192)))) // updated at
                wide := or(wide, shr(7, mload(add(words, 224)))) // id
                let tokens := or(mload(add(words, 256)), mload(add(words, 288)))
                wide := or(wide, shr(160, or(tokens, mload(add(words, 320)))))
                if wide { status := TOO_WIDE }
            }
            if status { calldatacopy(words, calldatasize(), 480) }
        }
    }

    function _list(Run memory run) private view returns (address[] memory assets) {
        // Whatever is in the argument's place is ignored.
        (uint256 status, uint256 offset) =
            ask(run.tape, run.heavy, run.pool, IPool.getReservesList.selector, address(0));
        uint256 count;
        if (status == OK && offset == 32) {
            assembly ("memory-safe") {
                if gt(returndatasize(), 63) {
                    returndatacopy(0, 32, 32)
                    count := mload(0)
                    if gt(count, div(sub(returndatasize(), 64), 32)) { count := 0 }
                }
            }
        }
        if (count > MOST_RESERVES) count = 0;
        assets = new address[](count);
        assembly ("memory-safe") {
            if count { returndatacopy(add(assets, 32), 64, mul(32, count)) }
        }
    }
}

interface IProvider {
    function getPool() external view returns (address);
    function getPriceOracle() external view returns (address);
    function getPriceOracleSentinel() external view returns (address);
}

interface IPool {
    function POOL_REVISION() external view returns (uint256);
    function getReservesList() external view returns (address[] memory);
    function getReserveData(address asset) external view;
    function getUserConfiguration(address account) external view returns (uint256);
    function getUserEMode(address account) external view returns (uint256);
}

interface IOracle {
    function BASE_CURRENCY() external view returns (address);
    function BASE_CURRENCY_UNIT() external view returns (uint256);
    function getFallbackOracle() external view returns (address);
    function getAssetPrice(address asset) external view returns (uint256);
}

interface ISentinel {
    function isLiquidationAllowed() external view returns (bool);
}
