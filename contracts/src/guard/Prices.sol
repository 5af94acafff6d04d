// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {NoPrice, OracleMoved} from "./Types.sol";

/// Worth before and after is told in the same prices, those before. Were a price moved meanwhile,
/// health would not mean what the owner meant: a share's price may move by rounding, not by more
/// than one part in ten thousand.
library Prices {
    uint256 private constant TOLERANCE = 10_000;

    function same(uint256[] memory known, uint256 i, uint256 price, address token)
        internal
        pure
        returns (uint256)
    {
        if (price == 0) revert NoPrice(token);
        uint256 before = known[i];
        if (before == 0) return known[i] = price;
        uint256 moved = price > before ? price - before : before - price;
        if (moved > before / TOLERANCE) revert OracleMoved(before, price);
        return before;
    }
}
