// SPDX-License-Identifier: MIT
pragma solidity 0.8.26;

interface IFeed {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// STAND-IN for the price feed contract that Compound v2's Comptroller asks, of which no package
/// publishes the code.
///
/// The Comptroller's interface of it, answered from Chainlink: the price of one whole underlying
/// token in USD, scaled by 10^(36 - underlying decimals); and `getConfig`, which names the feed. A
/// cToken without a configuration and an answer that is not positive are priced 0, which the
/// Comptroller refuses as a price error.
/// Left out: feeds and tokens whose decimals exceed 36 together, and the ways to configure it after
/// deployment.
contract FeedPriceOracle {
    bool public constant isPriceOracle = true;

    struct TokenConfig {
        uint8 underlyingAssetDecimals;
        address priceFeed;
        /// Without a feed: the price, scaled as the answers are.
        uint256 fixedPrice;
    }

    mapping(address cToken => TokenConfig) internal configs;

    constructor(address[] memory cTokens, TokenConfig[] memory configs_) {
        for (uint256 i; i < cTokens.length; i++) configs[cTokens[i]] = configs_[i];
    }

    function getConfig(address cToken) external view returns (TokenConfig memory config) {
        config = configs[cToken];
        require(config.priceFeed != address(0) || config.fixedPrice != 0, "no such cToken");
    }

    function getUnderlyingPrice(address cToken) external view returns (uint256) {
        TokenConfig memory config = configs[cToken];
        if (config.priceFeed == address(0)) return config.fixedPrice;
        (, int256 answer,,,) = IFeed(config.priceFeed).latestRoundData();
        if (answer <= 0) return 0;
        uint256 decimals = uint256(config.underlyingAssetDecimals) + IFeed(config.priceFeed).decimals();
        return uint256(answer) * 10 ** (36 - decimals);
    }
}
