// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Bucket, Kept, Lender, Policy} from "./Types.sol";

/// Everything a guard remembers, at one namespaced place (ERC-7201), because as a delegate it
/// shares the storage of an account with whatever that account delegates to before and after.
struct Store {
    Policy policy;
    uint64 lastAt;
    uint64 lastBlock;
    uint64 epoch; // of the configuration; rules of an earlier one are void
    bool paused;
    Bucket loss;
    address provider; // Aave's PoolAddressesProvider, written with every position
    Kept[] assets;
    Lender[] lenders;
    mapping(bytes32 key => uint256) rules;
    mapping(bytes32 id => uint256 timestamp) usedAt;
}

// keccak256(abi.encode(uint256(keccak256("underkeel.guard.v1")) - 1)) & ~bytes32(uint256(0xff))
bytes32 constant PLACE = 0x08b78503b8b3e6604e941ce01559382ccc80e5a10ac292baacafafaa78597c00;

function store() pure returns (Store storage s) {
    assembly ("memory-safe") {
        s.slot := PLACE
    }
}

/// Return what may still be spent now.
function left(Bucket memory bucket, uint256 cap, uint256 window) view returns (uint256) {
    uint256 refilled = cap * (block.timestamp - bucket.at) / window;
    if (refilled >= bucket.spent) return cap;
    uint256 spent = bucket.spent - refilled;
    return spent < cap ? cap - spent : 0;
}

/// Spend so much of what is left; the caller has compared the two.
function spend(Bucket storage bucket, uint256 amount, uint256 cap, uint256 rest) {
    bucket.spent = uint128(cap - rest + amount);
    bucket.at = uint64(block.timestamp);
}

/// Places of transient storage (EIP-1153); as a delegate these too are shared, hence no small ones.
library Transient {
    bytes32 internal constant LOCK = keccak256("underkeel.guard.lock");
    bytes32 internal constant LENDER = keccak256("underkeel.guard.lender");
    bytes32 internal constant DIGEST = keccak256("underkeel.guard.digest");
    bytes32 internal constant OWED = keccak256("underkeel.guard.owed");
    bytes32 internal constant NATIVE = keccak256("underkeel.guard.native");
    bytes32 internal constant HELD = keccak256("underkeel.guard.held");

    function get(bytes32 place) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(place)
        }
    }

    function set(bytes32 place, uint256 value) internal {
        assembly ("memory-safe") {
            tstore(place, value)
        }
    }

    /// The place of the i-th watched token's balance before the execution.
    function held(uint256 i) internal pure returns (bytes32) {
        return bytes32(uint256(HELD) + i);
    }
}
