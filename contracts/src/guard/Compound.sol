// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Lending} from "./Lending.sol";
import {Prices} from "./Prices.sol";
import {Store} from "./Store.sol";
import {Answer, Asset, BadPolicy, Kept, Measure, NoPrice, Protocol} from "./Types.sol";
import {Words} from "./Words.sol";

interface IComptroller {
    function oracle() external view returns (address);
    function getAssetsIn(address account) external view returns (address[] memory);
    function markets(address cToken) external view returns (bool listed, uint256 factor);
}

interface ICToken {
    function underlying() external view returns (address);
    function comptroller() external view returns (address);
    function accrueInterest() external returns (uint256);
    function getAccountSnapshot(address account)
        external
        view
        returns (uint256 code, uint256 cTokens, uint256 debt, uint256 rate);
    function mint(uint256 amount) external returns (uint256);
    function redeem(uint256 cTokens) external returns (uint256);
    function redeemUnderlying(uint256 amount) external returns (uint256);
    function borrow(uint256 amount) external returns (uint256);
    function repayBorrow(uint256 amount) external returns (uint256);
    function repayBorrowBehalf(address borrower, uint256 amount) external returns (uint256);
}

interface ICEther {
    function mint() external payable;
    function repayBorrow() external payable;
    function repayBorrowBehalf(address borrower) external payable;
}

interface ICompoundOracle {
    function getUnderlyingPrice(address cToken) external view returns (uint256);
}

error CompoundFailed(uint256 code);

/// Compound v2 and its forks. Health is what the Comptroller compares in `getAccountLiquidity`,
/// with its roundings: sums over the entered markets, interest accrued first. Values are dollars
/// of 1e18. Answers are error codes, which a step must not overlook.
abstract contract CompoundLending is Lending {
    uint256 private constant WAD = 1e18;

    function _protocol() internal pure override returns (Protocol) {
        return Protocol.CompoundV2;
    }

    function _appraise(Store storage s, address account, Measure memory m) internal override {
        IComptroller comptroller = IComptroller(s.policy.market);
        ICompoundOracle oracle = ICompoundOracle(comptroller.oracle());
        address[] memory entered = comptroller.getAssetsIn(account);
        uint256 limit;
        for (uint256 i; i < entered.length; ++i) {
            (uint256 cTokens, uint256 debt, uint256 rate) = _snapshot(entered[i], account);
            uint256 price = oracle.getUnderlyingPrice(entered[i]);
            if (price == 0) revert NoPrice(entered[i]);
            (, uint256 factor) = comptroller.markets(entered[i]);
            limit += factor * rate / WAD * price / WAD * cTokens / WAD;
            m.debt += price * debt / WAD;
        }
        m.health = m.debt == 0 ? type(uint256).max : limit * WAD / m.debt;
        _worth(s, account, m, oracle);
    }

    function _worth(Store storage s, address account, Measure memory m, ICompoundOracle oracle)
        private
    {
        for (uint256 i; i < m.held.length; ++i) {
            Kept storage a = s.assets[i];
            (bool position, address source) = (a.position, a.source);
            if (source == address(0)) continue;
            uint256 price = Prices.same(m.prices, i, oracle.getUnderlyingPrice(source), a.token);
            m.worth += int256(m.held[i] * price / WAD);
            if (!position) continue;
            (uint256 cTokens, uint256 debt, uint256 rate) = _snapshot(source, account);
            m.equity += int256(cTokens * rate / WAD * price / WAD) - int256(debt * price / WAD);
        }
        m.worth += m.equity;
    }

    /// Redeemed, borrowed and minted goes to the caller, which is the guard.
    function _lends(Store storage s, address account, address target, bytes memory data)
        internal
        view
        override
        returns (Answer)
    {
        if (target == s.policy.market) return Answer.Refused;
        if (!_position(s, target)) return Answer.Foreign;
        bytes4 selector = Words.selector(data);
        if (
            selector == ICToken.redeem.selector || selector == ICToken.redeemUnderlying.selector
                || selector == ICToken.mint.selector || selector == ICToken.repayBorrow.selector
                || selector == ICEther.mint.selector || selector == ICEther.repayBorrow.selector
        ) return Answer.Zero;
        if (
            selector == ICToken.repayBorrowBehalf.selector
                || selector == ICEther.repayBorrowBehalf.selector
        ) return Words.isAddress(data, 0, account) ? Answer.Zero : Answer.Refused;
        bool borrows = selector == ICToken.borrow.selector && s.policy.mayBorrow;
        return borrows && account == address(this) ? Answer.Zero : Answer.Refused;
    }

    function _keep(Store storage s, Asset calldata asset, Kept storage a) internal override {
        a.source = asset.market;
        if (!asset.position) return;
        (bool listed,) = IComptroller(s.policy.market).markets(asset.market);
        // Only the native coin's cToken does not name what is underlying; asked for what it does not
        // know it mints, which a static call answers by burning all gas.
        (bool names, bytes memory answer) =
            asset.market.staticcall{gas: 100_000}(abi.encodeCall(ICToken.underlying, ()));
        address underlying =
            names && answer.length == 32 ? abi.decode(answer, (address)) : address(0);
        if (!listed || underlying != asset.token) revert BadPolicy("market");
    }

    function _position(Store storage s, address cToken) private view returns (bool) {
        for (uint256 i; i < s.assets.length; ++i) {
            Kept storage a = s.assets[i];
            if (a.position && a.source == cToken) return true;
        }
        return false;
    }

    function _snapshot(address cToken, address account)
        private
        returns (uint256 cTokens, uint256 debt, uint256 rate)
    {
        uint256 code = ICToken(cToken).accrueInterest();
        if (code != 0) revert CompoundFailed(code);
        (code, cTokens, debt, rate) = ICToken(cToken).getAccountSnapshot(account);
        if (code != 0) revert CompoundFailed(code);
    }
}
