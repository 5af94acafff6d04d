// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {
    HEAD, NOT_BEGUN, OK, Once, Placed, Program, STARVED, TOO_SHORT, TOO_WIDE, Tape,
    affords, ask, begin, finish, overwrite, put, take, takeAddress
} from "./Tape.sol";

/// @title Read what many accounts have and owe in one Aave v3 pool, in one eth_call at one block.
/// @notice Only public functions are called, all of them statically; whatever fails marks its own
/// cell. How it is run, and the head of its output: Tape.sol.
///
/// Input, packed, big-endian:
///   mode u8 | allowance u32 | heavy u32 | floor u32 | root address
///   without mode RESOLVE: n u16 | n × (id u16 | traits u8 | asset, aToken, stable debt token,
///   variable debt token) | accounts, an address each, to the end
/// The root is the pool, or with RESOLVE its PoolAddressesProvider: then the pool, its reserves and
/// their prices are looked up and written out. A call for an account gets `allowance` gas, one for
/// the pool `heavy`; none is begun unless it and `floor` are left.
///
/// Output, after the head:
///   pool | oracle | entries u32 | reserves written r u16 | facts written f u8
///   f × ( status u8 | word 32 ): with RESOLVE the provider's getPool, getPriceOracle and
///   getPriceOracleSentinel, POOL_REVISION, the oracle's BASE_CURRENCY, BASE_CURRENCY_UNIT and
///   getFallbackOracle, the sentinel's isLiquidationAllowed
///   r × ( status u8 | traits u8 | id u16 | asset | configuration 32 | liquidity index u128
///         | liquidity rate u128 | borrow index u128 | borrow rate u128 | updated at u64
///         | aToken | stable debt token | variable debt token | price status u8 | price 32 )
///   one row per account: status u8 | e-mode u8 | configuration 32
///   24 bytes per entry: account u32 | place of its reserve u16 | kind u8 | status u8 | amount u128
/// Only the rows of accounts done mean anything; gas ran short for the others. Entries are in
/// order of account and reserve; amounts that are zero have none. A row's status is that of its
/// configuration, and 16 times that of its e-mode.
///   status 0 ok   1 reverted   2 over 128 bits (an e-mode: over 8)   3 too short an answer
///          4 it may have failed for want of gas alone, or others of its token did
///          5 there was not enough gas to begin it
///   kind   0 aToken's scaledBalanceOf   1 variable debt's scaledBalanceOf
///          2 stable debt's principalBalanceOf   3 balanceOf of the asset
///          4 getUserStableRate   5 getUserLastUpdated   6 getDiscountPercent
///          7 getPreviousIndex
///   traits 1 has stable debt   2 grants a discount
///   mode   1 RESOLVE   2 WALLET: balances of the assets too
///          4 HEALTH: supply only where it is collateral, and no e-mode without a flag
abstract contract LendingProgram is Program {
    uint256 private constant RESOLVE = 1;
    uint256 private constant WALLET = 2;
    uint256 private constant HEALTH = 4;
    uint256 private constant STABLE = 1;
    uint256 private constant DISCOUNT = 2;

    bytes4 private constant SCALED = IToken.scaledBalanceOf.selector;
    bytes4 private constant BALANCE = IToken.balanceOf.selector;
    bytes4 private constant PRINCIPAL = IToken.principalBalanceOf.selector;
    bytes4 private constant STABLE_RATE = IToken.getUserStableRate.selector;
    bytes4 private constant STABLE_SINCE = IToken.getUserLastUpdated.selector;
    bytes4 private constant PERCENT = IToken.getDiscountPercent.selector;
    bytes4 private constant PREVIOUS_INDEX = IToken.getPreviousIndex.selector;

    uint256 private constant OWN_HEAD = 47;
    uint256 private constant FACTS = 8;
    uint256 private constant ROW = 34;
    uint256 private constant GIVEN = 83;
    uint256 private constant MOST_RESERVES = 128;
    /// Failures that took much gas after which a token is not asked that question again.
    uint256 private constant PATIENCE = 2;

    struct Reserve {
        address asset;
        address aToken;
        address stableToken;
        address debtToken;
        uint256 shift; // of the configuration to its flags: twice its id
        uint256 traits;
        uint256 burnt; // eight bits per kind: failures that took much gas
    }

    struct Run {
        Tape tape;
        uint256 mode;
        uint256 allowance;
        uint256 heavy;
        address root;
        address pool;
        address oracle;
        address account;
        uint256 index;
        uint256 entries;
    }

    function _run(bytes memory input) internal view override returns (uint256 from, uint256 size) {
        Run memory run;
        Tape memory tape = run.tape;
        tape.gasAtStart = gasleft();
        run.mode = take(input, 0, 1);
        run.allowance = take(input, 1, 4);
        run.heavy = take(input, 5, 4);
        tape.floor = take(input, 9, 4);
        run.root = run.pool = takeAddress(input, 13);
        bool resolve = run.mode & RESOLVE != 0;
        Reserve[] memory reserves = resolve ? _resolve(run) : _given(run, input);
        tape.gasAtItems = gasleft();
        tape.done = _accounts(run, reserves, input, resolve ? 33 : 35 + GIVEN * reserves.length);

        uint256 at = tape.from + HEAD;
        overwrite(at, uint160(run.pool), 20);
        overwrite(at + 20, uint160(run.oracle), 20);
        uint256 written = resolve ? reserves.length << 8 | FACTS : 0;
        overwrite(at + 40, run.entries << 24 | written, 7);
        return finish(tape, input);
    }

    /// Read the accounts, and return of how many there was enough gas to read all.
    function _accounts(
        Run memory run, Reserve[] memory reserves, bytes memory input, uint256 at
    ) private view returns (uint256 done) {
        Tape memory tape = run.tape;
        uint256 rows = tape.out;
        uint256 count = (input.length - at) / 20;
        tape.out += ROW * count;
        for (; done < count; ++done) {
            uint256 out = tape.out;
            uint256 entries = run.entries;
            run.account = takeAddress(input, at + 20 * done);
            run.index = done;
            if (!_account(run, reserves, rows + ROW * done)) {
                (tape.out, run.entries) = (out, entries);
                break;
            }
        }
    }

    /// Read one account. False: the gas left is too little to do it whole.
    function _account(Run memory run, Reserve[] memory reserves, uint256 row)
        private
        view
        returns (bool)
    {
        (uint256 status, uint256 configuration) =
            ask(run.tape, run.allowance, run.pool, IPool.getUserConfiguration.selector, run.account);
        if (status == NOT_BEGUN) return false;
        if (status != OK) configuration = 0;
        uint256 emode;
        if (status == OK && (configuration != 0 || run.mode & HEALTH == 0)) {
            uint256 failed;
            (failed, emode) =
                ask(run.tape, run.allowance, run.pool, IPool.getUserEMode.selector, run.account);
            if (failed == NOT_BEGUN) return false;
            if (emode > 0xff) (failed, emode) = (TOO_WIDE, 0);
            status |= failed << 4;
        }
        overwrite(row, status << 8 | emode, 2);
        overwrite(row + 2, configuration, 32);
        if (status & 0xf != OK) return true;

        bool all = run.mode & HEALTH == 0;
        for (uint256 place; place < reserves.length; ++place) {
            Reserve memory reserve = reserves[place];
            uint256 flags = configuration >> reserve.shift & 3;
            if (!all && flags == 0) continue;
            if (reserve.aToken == address(0)) continue; // it says nothing of itself
            if (all || flags & 2 != 0) {
                if (!_amount(run, reserve, place, 0, reserve.aToken, SCALED)) return false;
            }
            if (flags & 1 != 0 && !_debts(run, reserve, place)) return false;
            if (run.mode & WALLET != 0) {
                if (!_amount(run, reserve, place, 3, reserve.asset, BALANCE)) return false;
            }
        }
        return true;
    }

    /// Read what the account owes of one reserve. False: too little gas.
    function _debts(Run memory run, Reserve memory reserve, uint256 place)
        private
        view
        returns (bool)
    {
        if (!_amount(run, reserve, place, 1, reserve.debtToken, SCALED)) return false;
        if (reserve.traits & STABLE != 0) {
            address token = reserve.stableToken;
            uint256 before = run.entries;
            if (!_amount(run, reserve, place, 2, token, PRINCIPAL)) return false;
            if (run.entries != before) {
                if (!_amount(run, reserve, place, 4, token, STABLE_RATE)) return false;
                if (!_amount(run, reserve, place, 5, token, STABLE_SINCE)) return false;
            }
        }
        if (reserve.traits & DISCOUNT != 0) {
            address token = reserve.debtToken;
            if (!_amount(run, reserve, place, 6, token, PERCENT)) return false;
            if (!_amount(run, reserve, place, 7, token, PREVIOUS_INDEX)) return false;
        }
        return true;
    }

    /// Read one amount and write it down, unless it is zero. False: too little gas to begin.
    function _amount(
        Run memory run,
        Reserve memory reserve,
        uint256 place,
        uint256 kind,
        address token,
        bytes4 selector
    ) private view returns (bool) {
        unchecked {
            uint256 status = STARVED;
            uint256 amount;
            if (reserve.burnt >> 8 * kind & 0xff < PATIENCE) {
                (status, amount) = ask(run.tape, run.allowance, token, selector, run.account);
                // Nearly always nothing is there.
                if (status | amount == 0) return true;
                if (status == NOT_BEGUN) return false;
                if (status == STARVED) reserve.burnt += 1 << 8 * kind;
                if (amount >> 128 != 0) status = TOO_WIDE;
                if (status != OK) amount = 0;
            }
            uint256 head = run.index << 32 | place << 16 | kind << 8 | status;
            put(run.tape, head << 128 | amount, 24);
            ++run.entries;
            return true;
        }
    }

    /// Take the reserves from the input.
    function _given(Run memory run, bytes memory input)
        private
        pure
        returns (Reserve[] memory reserves)
    {
        reserves = new Reserve[](take(input, 33, 2));
        uint256 at = 35;
        for (uint256 i; i < reserves.length; ++i) {
            Reserve memory reserve = reserves[i];
            reserve.shift = 2 * take(input, at, 2);
            reserve.traits = take(input, at + 2, 1);
            reserve.asset = takeAddress(input, at + 3);
            reserve.aToken = takeAddress(input, at + 23);
            reserve.stableToken = takeAddress(input, at + 43);
            reserve.debtToken = takeAddress(input, at + 63);
            at += GIVEN;
        }
        begin(run.tape, OWN_HEAD);
    }

    /// Look the pool up, then every reserve of it with its price, and write them out.
    /// Where there is no pool, oracle or list to be had, there are no reserves.
    function _resolve(Run memory run) private view returns (Reserve[] memory reserves) {
        run.pool = _part(run, IProvider.getPool.selector);
        run.oracle = _part(run, IProvider.getPriceOracle.selector);
        address[] memory assets = _list(run);
        reserves = new Reserve[](assets.length);
        uint256[15] memory words;
        begin(run.tape, OWN_HEAD);
        _facts(run);
        for (uint256 i; i < assets.length; ++i) {
            Reserve memory reserve = reserves[i];
            reserve.asset = assets[i];
            // Its bits are past the end of every configuration until its id is known.
            reserve.shift = 256;
            _reserve(run, reserve, words);
        }
    }

    function _facts(Run memory run) private view {
        _fact(run, run.root, IProvider.getPool.selector);
        _fact(run, run.root, IProvider.getPriceOracle.selector);
        address sentinel = address(
            uint160(_fact(run, run.root, IProvider.getPriceOracleSentinel.selector))
        );
        _fact(run, run.pool, IPool.POOL_REVISION.selector);
        _fact(run, run.oracle, IOracle.BASE_CURRENCY.selector);
        _fact(run, run.oracle, IOracle.BASE_CURRENCY_UNIT.selector);
        _fact(run, run.oracle, IOracle.getFallbackOracle.selector);
        _fact(run, sentinel, ISentinel.isLiquidationAllowed.selector);
    }

    function _fact(Run memory run, address target, bytes4 selector)
        private
        view
        returns (uint256 value)
    {
        uint256 status;
        // Whatever is in the argument's place is ignored.
        (status, value) = ask(run.tape, run.heavy, target, selector, address(0));
        put(run.tape, status, 1);
        put(run.tape, value, 32);
    }

    function _reserve(Run memory run, Reserve memory reserve, uint256[15] memory words) private view {
        uint256 status = _data(run, reserve.asset, words);
        if (status == OK) {
            reserve.shift = 2 * words[7];
            reserve.aToken = address(uint160(words[8]));
            reserve.stableToken = address(uint160(words[9]));
            reserve.debtToken = address(uint160(words[10]));
            if (_answers(run, reserve.stableToken, PRINCIPAL)) {
                reserve.traits |= STABLE;
            }
            if (_answers(run, reserve.debtToken, PERCENT)) {
                reserve.traits |= DISCOUNT;
            }
        }
        (uint256 priced, uint256 price) =
            ask(run.tape, run.heavy, run.oracle, IOracle.getAssetPrice.selector, reserve.asset);
        put(run.tape, status << 24 | reserve.traits << 16 | reserve.shift / 2, 4);
        put(run.tape, uint160(reserve.asset), 20);
        put(run.tape, words[0], 32);
        for (uint256 i = 1; i < 5; ++i) put(run.tape, words[i], 16);
        put(run.tape, words[6], 8);
        for (uint256 i = 8; i < 11; ++i) put(run.tape, words[i], 20);
        put(run.tape, priced, 1);
        put(run.tape, price, 32);
    }

    /// Read `getReserveData` into `words`; zeros where it fails or does not fit its types.
    function _data(Run memory run, address asset, uint256[15] memory words)
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
        }
        if (status == OK) {
            bool wide = words[6] >> 40 != 0 || words[7] >= 128;
            for (uint256 i = 1; i < 6; ++i) wide = wide || words[i] >> 128 != 0;
            for (uint256 i = 8; i < 11; ++i) wide = wide || words[i] >> 160 != 0;
            if (wide) status = TOO_WIDE;
        }
        if (status != OK) for (uint256 i; i < 15; ++i) words[i] = 0;
    }

    /// Whether a token knows a question about accounts.
    function _answers(Run memory run, address token, bytes4 selector) private view returns (bool) {
        (uint256 status,) = ask(run.tape, run.allowance, token, selector, address(this));
        return status == OK;
    }

    /// Return an address that the provider names; zero where it names none.
    function _part(Run memory run, bytes4 selector) private view returns (address) {
        (uint256 status, uint256 value) = ask(run.tape, run.heavy, run.root, selector, address(0));
        return status == OK && value >> 160 == 0 ? address(uint160(value)) : address(0);
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

interface IToken {
    function balanceOf(address account) external view returns (uint256);
    function scaledBalanceOf(address account) external view returns (uint256);
    function principalBalanceOf(address account) external view returns (uint256);
    function getUserStableRate(address account) external view returns (uint256);
    function getUserLastUpdated(address account) external view returns (uint256);
    function getDiscountPercent(address account) external view returns (uint256);
    function getPreviousIndex(address account) external view returns (uint256);
}

contract LendingLens is LendingProgram, Placed {}

contract LendingLensOnce is LendingProgram, Once {}
