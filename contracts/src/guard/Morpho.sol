// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Lending} from "./Lending.sol";
import {Prices} from "./Prices.sol";
import {Store} from "./Store.sol";
import {Answer, Asset, BadPolicy, Kept, Measure, Protocol} from "./Types.sol";
import {Words} from "./Words.sol";

struct MarketParams {
    address loanToken;
    address collateralToken;
    address oracle;
    address irm;
    uint256 lltv;
}

interface IMorpho {
    function idToMarketParams(bytes32 id) external view returns (MarketParams memory);
    function position(bytes32 id, address user)
        external
        view
        returns (uint256 supplyShares, uint128 borrowShares, uint128 collateral);
    function market(bytes32 id)
        external
        view
        returns (uint128 supplied, uint128 supplyShares, uint128 borrowed, uint128 borrowShares, uint128 at, uint128 fee);
    function accrueInterest(MarketParams memory marketParams) external;
    function supplyCollateral(MarketParams memory, uint256 assets, address onBehalf, bytes memory)
        external;
    function withdrawCollateral(
        MarketParams memory,
        uint256 assets,
        address onBehalf,
        address receiver
    ) external;
    function borrow(
        MarketParams memory,
        uint256 assets,
        uint256 shares,
        address onBehalf,
        address receiver
    ) external returns (uint256, uint256);
    function repay(
        MarketParams memory,
        uint256 assets,
        uint256 shares,
        address onBehalf,
        bytes memory
    ) external returns (uint256, uint256);
}

interface IMorphoOracle {
    function price() external view returns (uint256);
}

/// One market of Morpho Blue. The unit of account is the loan token. Debt is rounded up, what may
/// be borrowed down, as Morpho's own `_isHealthy`. Supply of the loan token is no part of it: of
/// Morpho's functions none that withdraws it may be called.
abstract contract MorphoLending is Lending {
    uint256 private constant WAD = 1e18;

    function _protocol() internal pure override returns (Protocol) {
        return Protocol.MorphoBlue;
    }

    function _appraise(Store storage s, address account, Measure memory m) internal override {
        IMorpho morpho = IMorpho(s.policy.market);
        bytes32 id = s.policy.marketId;
        MarketParams memory params = morpho.idToMarketParams(id);
        morpho.accrueInterest(params);
        uint256 price = IMorphoOracle(params.oracle).price();
        (, uint256 shares, uint256 collateral) = morpho.position(id, account);
        if (shares != 0) {
            (,, uint256 assets, uint256 all,,) = morpho.market(id);
            // Morpho's virtual assets and shares.
            m.debt = (shares * (assets + 1) + all + 1e6 - 1) / (all + 1e6);
        }
        m.health = m.debt == 0
            ? type(uint256).max
            : collateral * price / 1e36 * params.lltv / WAD * WAD / m.debt;
        price = Prices.same(m.prices, 0, price, params.collateralToken);
        m.equity = int256(collateral * price / 1e36) - int256(m.debt);
        m.worth = m.equity;
        for (uint256 i; i < m.held.length; ++i) {
            Kept storage a = s.assets[i];
            if (!a.position) continue;
            uint256 amount = m.held[i];
            m.worth += int256(a.token == params.loanToken ? amount : amount * price / 1e36);
        }
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

    /// Data for a callback need not be forbidden: the guard has none of the functions that Morpho
    /// would call.
    function _mayCall(Store storage s, address account, bytes memory data)
        private
        view
        returns (bool)
    {
        bytes4 selector = Words.selector(data);
        if (!Words.reaches(data, 7)) return false;
        bytes32 id;
        assembly ("memory-safe") {
            id := keccak256(add(data, 36), 160)
        }
        if (id != s.policy.marketId) return false;
        if (selector == IMorpho.repay.selector) return Words.isAddress(data, 7, account);
        if (selector == IMorpho.withdrawCollateral.selector) {
            return Words.isAddress(data, 6, account)
                && Words.isEither(data, 7, account, address(this));
        }
        if (selector == IMorpho.supplyCollateral.selector) return Words.isAddress(data, 6, account);
        return selector == IMorpho.borrow.selector && s.policy.mayBorrow
            && Words.isAddress(data, 7, account) && Words.isEither(data, 8, account, address(this));
    }

    function _keep(Store storage s, Asset calldata asset, Kept storage a) internal override {
        if (asset.market == address(0) && !asset.position) return;
        MarketParams memory params = IMorpho(s.policy.market).idToMarketParams(s.policy.marketId);
        bool part = asset.token == params.loanToken || asset.token == params.collateralToken;
        // A market of one token on both sides would need two prices of it.
        if (params.loanToken == params.collateralToken) part = false;
        if (!asset.position || !part || asset.market != s.policy.market) revert BadPolicy("market");
        a.source = asset.market;
    }
}
