// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Proxies of the kinds that no installed package has, as their proposals describe them.

/// Delegates everything to what `_target` names.
abstract contract Forwarder {
    function _target() internal view virtual returns (address);

    fallback() external payable {
        address target = _target();
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }

    receive() external payable {}
}

/// EIP-1822: the implementation lies at keccak("PROXIABLE").
contract Proxy1822 is Forwarder {
    constructor(address logic) {
        assembly {
            sstore(0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7, logic)
        }
    }

    function _target() internal view override returns (address target) {
        assembly {
            target := sload(0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7)
        }
    }
}

/// ZeppelinOS: keccak("org.zeppelinos.proxy.implementation") and "...admin", before EIP-1967.
contract ProxyZeppelinOS is Forwarder {
    constructor(address logic, address admin_) {
        assembly {
            sstore(0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3, logic)
            sstore(0x10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b, admin_)
        }
    }

    function _target() internal view override returns (address target) {
        assembly {
            target := sload(0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3)
        }
    }
}

/// EIP-897: says what it delegates to, and whether that can change (type 2).
contract Proxy897 is Forwarder {
    address public implementation;
    address public owner;

    constructor(address logic) {
        implementation = logic;
        owner = msg.sender;
    }

    function proxyType() external pure returns (uint256) {
        return 2;
    }

    function upgradeTo(address logic) external {
        require(msg.sender == owner);
        implementation = logic;
    }

    function _target() internal view override returns (address) {
        return implementation;
    }
}

/// EIP-2535: each selector has its own facet; only the loupe and what a test needs.
contract Diamond {
    struct Facet {
        address facetAddress;
        bytes4[] functionSelectors;
    }

    address public owner;
    address[] internal _facets;
    mapping(address => bytes4[]) internal _selectors;
    mapping(bytes4 => address) internal _facetOf;

    constructor() {
        owner = msg.sender;
    }

    function cut(address facet, bytes4[] calldata selectors) external {
        require(msg.sender == owner);
        _facets.push(facet);
        for (uint256 i; i < selectors.length; i++) {
            _selectors[facet].push(selectors[i]);
            _facetOf[selectors[i]] = facet;
        }
    }

    function facets() external view returns (Facet[] memory found) {
        found = new Facet[](_facets.length);
        for (uint256 i; i < _facets.length; i++) {
            found[i] = Facet(_facets[i], _selectors[_facets[i]]);
        }
    }

    fallback() external payable {
        address target = _facetOf[msg.sig];
        require(target != address(0));
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

/// Holds an implementation in EIP-1967's slot and never delegates to it.
contract Decoy {
    constructor(address logic) {
        assembly {
            sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, logic)
        }
    }
}
