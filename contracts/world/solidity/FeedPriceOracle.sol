// SPDX-License-Identifier: MIT
pragma solidity 0.8.26;

interface IFeed {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// STAND-IN for Compound v2's UniswapAnchoredView, of which no package publishes the code.
///
/// The Comptroller's interface of it, answered from Chainlink: the price of one whole underlying
/// token in USD, scaled by 10^(36 - underlying decimals). A cToken without a feed and an answer
/// that is not positive are priced 0, which the Comptroller refuses as a price error.
/// Left out: the anchor to Uniswap's mean price, and the ways to configure it after deployment.
contract FeedPriceOracle {
    bool public constant isPriceOracle = true;

    struct Source {
        address feed;
        uint8 decimals;
    }

    mapping(address cToken => Source) public sources;

    constructor(address[] memory cTokens, Source[] memory sources_) {
        for (uint256 i; i < cTokens.length; i++) sources[cTokens[i]] = sources_[i];
    }

    function getUnderlyingPrice(address cToken) external view returns (uint256) {
        Source memory source = sources[cToken];
        if (source.feed == address(0)) return 0;
        (, int256 answer,,,) = IFeed(source.feed).latestRoundData();
        if (answer <= 0) return 0;
        uint256 scale = 10 ** (36 - uint256(source.decimals) - IFeed(source.feed).decimals());
        return uint256(answer) * scale;
    }
}
