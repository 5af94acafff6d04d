// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Lending} from "./Lending.sol";
import {Prices} from "./Prices.sol";
import {Store} from "./Store.sol";
import {IToken} from "./Tokens.sol";
import {Answer, Asset, BadPolicy, Kept, Measure, Protocol} from "./Types.sol";
import {Words} from "./Words.sol";

interface IAavePool {
    function ADDRESSES_PROVIDER() external view returns (address);
    /// The struct's 15 words, the same from 3.0 on: 8 is the aToken, 10 the variable debt token.
    function getReserveData(address asset) external view returns (uint256[15] memory);
    function getUserAccountData(address user)
        external
        view
        returns (
            uint256 collateral,
            uint256 debt,
            uint256 available,
            uint256 threshold,
            uint256 ltv,
            uint256 health
        );
    function supply(address asset, uint256 amount, address onBehalfOf, uint16 code) external;
    function withdraw(address asset, uint256 amount, address to) external returns (uint256);
    function borrow(address asset, uint256 amount, uint256 mode, uint16 code, address onBehalfOf)
        external;
    function repay(address asset, uint256 amount, uint256 mode, address onBehalfOf)
        external
        returns (uint256);
    function repayWithATokens(address asset, uint256 amount, uint256 mode)
        external
        returns (uint256);
}

interface IAaveProvider {
    function getPriceOracle() external view returns (address);
}

interface IAaveOracle {
    function getAssetPrice(address asset) external view returns (uint256);
}

/// Aave v3, 3.0 to 3.6. Health and debt are the pool's own `getUserAccountData`; worth is summed
/// from balances, because the pool does not count supply that is no collateral. Stable debt (3.0)
/// counts in health and debt but not in worth, so repaying it looks like a loss and is refused, and
/// none may be borrowed.
abstract contract AaveLending is Lending {
    bytes32 private constant VARIABLE = bytes32(uint256(2));

    function _protocol() internal pure override returns (Protocol) {
        return Protocol.AaveV3;
    }

    function _appraise(Store storage s, address account, Measure memory m) internal view override {
        (, m.debt,,,, m.health) = IAavePool(s.policy.market).getUserAccountData(account);
        IAaveOracle oracle = IAaveOracle(IAaveProvider(s.provider).getPriceOracle());
        for (uint256 i; i < m.held.length; ++i) {
            Kept storage a = s.assets[i];
            (address token, bool position, address source) = (a.token, a.position, a.source);
            if (source == address(0)) continue;
            uint256 price = oracle.getAssetPrice(position ? token : source);
            price = Prices.same(m.prices, i, price, token);
            uint256 unit = 10 ** a.decimals;
            m.worth += int256(m.held[i] * price / unit);
            if (!position) continue;
            uint256 supply = IToken(source).balanceOf(account) * price / unit;
            uint256 debt = IToken(a.debtToken).balanceOf(account) * price / unit;
            m.equity += int256(supply) - int256(debt);
        }
        m.worth += m.equity;
    }

    function _lends(Store storage s, address account, address target, bytes memory data)
        internal
        view
        override
        returns (Answer)
    {
        if (target != s.policy.market) return Answer.Foreign;
        return _mayCall(s, account, data) ? Answer.Any : Answer.Refused;
    }

    function _mayCall(Store storage s, address account, bytes memory data)
        private
        view
        returns (bool)
    {
        bytes4 selector = Words.selector(data);
        if (!Words.reaches(data, 2) || !_reserve(s, Words.word(data, 0))) return false;
        if (selector == IAavePool.repay.selector) return Words.isAddress(data, 3, account);
        if (selector == IAavePool.withdraw.selector) {
            return Words.isEither(data, 2, account, address(this));
        }
        if (selector == IAavePool.supply.selector) return Words.isAddress(data, 2, account);
        if (selector == IAavePool.repayWithATokens.selector) return true;
        // Debt at a stable rate (3.0) is no part of worth: moved there, debt would look repaid.
        return selector == IAavePool.borrow.selector && s.policy.mayBorrow
            && Words.isAddress(data, 4, account) && Words.word(data, 2) == VARIABLE;
    }

    function _keep(Store storage s, Asset calldata asset, Kept storage a) internal override {
        if (!asset.position) {
            a.source = asset.market;
            return;
        }
        if (asset.market != asset.token) revert BadPolicy("market");
        s.provider = IAavePool(s.policy.market).ADDRESSES_PROVIDER();
        uint256[15] memory reserve = IAavePool(s.policy.market).getReserveData(asset.token);
        (a.source, a.debtToken) = (address(uint160(reserve[8])), address(uint160(reserve[10])));
        if (a.source == address(0) || a.debtToken == address(0)) revert BadPolicy("market");
    }

    function _reserve(Store storage s, bytes32 asset) private view returns (bool) {
        for (uint256 i; i < s.assets.length; ++i) {
            Kept storage a = s.assets[i];
            if (bytes32(uint256(uint160(a.token))) == asset) return a.position;
        }
        return false;
    }
}
