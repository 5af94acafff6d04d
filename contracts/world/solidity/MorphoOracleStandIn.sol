// SPDX-License-Identifier: MIT
pragma solidity 0.8.26;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

interface IFeed {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

interface IVault {
    function convertToAssets(uint256 shares) external view returns (uint256);
}

/// STAND-IN for Morpho's MorphoChainlinkOracleV2, of which no package publishes the code.
///
/// Same getters, same price formula, reading the real feeds:
///   price = SCALE_FACTOR * baseVault * baseFeed1 * baseFeed2 / (quoteVault * quoteFeed1 * quoteFeed2)
/// where an absent feed or vault counts as one and
///   SCALE_FACTOR = 10^(36 + quote decimals + quote feed decimals - base decimals - base feed decimals)
///                  * quote sample / base sample.
/// Left out: the factory, and the constructor's check that a sample is 1 where there is no vault.
/// Like the original it accepts stale answers and reverts on negative ones.
contract MorphoOracleStandIn {
    struct Side {
        address vault;
        uint256 sample;
        address feed1;
        address feed2;
        uint256 decimals;
    }

    error NegativeAnswer();

    address public immutable BASE_VAULT;
    uint256 public immutable BASE_VAULT_CONVERSION_SAMPLE;
    address public immutable BASE_FEED_1;
    address public immutable BASE_FEED_2;
    address public immutable QUOTE_VAULT;
    uint256 public immutable QUOTE_VAULT_CONVERSION_SAMPLE;
    address public immutable QUOTE_FEED_1;
    address public immutable QUOTE_FEED_2;
    uint256 public immutable SCALE_FACTOR;

    constructor(Side memory base, Side memory quote) {
        BASE_VAULT = base.vault;
        BASE_VAULT_CONVERSION_SAMPLE = base.sample;
        BASE_FEED_1 = base.feed1;
        BASE_FEED_2 = base.feed2;
        QUOTE_VAULT = quote.vault;
        QUOTE_VAULT_CONVERSION_SAMPLE = quote.sample;
        QUOTE_FEED_1 = quote.feed1;
        QUOTE_FEED_2 = quote.feed2;
        uint256 up = 36 + quote.decimals + _decimals(quote.feed1) + _decimals(quote.feed2);
        uint256 down = base.decimals + _decimals(base.feed1) + _decimals(base.feed2);
        SCALE_FACTOR = (10 ** (up - down) * quote.sample) / base.sample;
    }

    function price() external view returns (uint256) {
        uint256 base = _assets(BASE_VAULT, BASE_VAULT_CONVERSION_SAMPLE);
        uint256 quote = _assets(QUOTE_VAULT, QUOTE_VAULT_CONVERSION_SAMPLE);
        return Math.mulDiv(
            SCALE_FACTOR,
            base * _answer(BASE_FEED_1) * _answer(BASE_FEED_2),
            quote * _answer(QUOTE_FEED_1) * _answer(QUOTE_FEED_2)
        );
    }

    function _assets(address vault, uint256 sample) private view returns (uint256) {
        return vault == address(0) ? 1 : IVault(vault).convertToAssets(sample);
    }

    function _answer(address feed) private view returns (uint256) {
        if (feed == address(0)) return 1;
        (, int256 answer,,,) = IFeed(feed).latestRoundData();
        if (answer < 0) revert NegativeAnswer();
        return uint256(answer);
    }

    function _decimals(address feed) private view returns (uint256) {
        return feed == address(0) ? 0 : IFeed(feed).decimals();
    }
}
