// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";

/// Contracts whose only purpose is to be controlled by somebody.

contract Owned is Ownable2Step {
    constructor(address owner_) Ownable(owner_) {}

    function value() external pure returns (uint256) {
        return 1;
    }
}

/// An owner who is no one key: whoever may call it is somewhere behind `owner()`.
contract Link {
    address public owner;

    function point(address to) external {
        owner = to;
    }
}

contract UupsOwned is UUPSUpgradeable {
    address public owner;

    function initialize(address owner_) external {
        require(owner == address(0));
        owner = owner_;
    }

    function _authorizeUpgrade(address) internal view override {
        require(msg.sender == owner);
    }
}

/// Nobody can be asked who may upgrade it.
contract UupsSilent is UUPSUpgradeable {
    function _authorizeUpgrade(address) internal view override {
        require(uint160(msg.sender) % 7 == 3);
    }
}

contract UupsRoles is UUPSUpgradeable, AccessControl {
    bytes32 public constant UPGRADER_ROLE = keccak256("UPGRADER_ROLE");

    function initialize(address admin, address upgrader) external {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(UPGRADER_ROLE, upgrader);
    }

    function _authorizeUpgrade(address) internal view override onlyRole(UPGRADER_ROLE) {}
}

contract UupsEnumerable is UUPSUpgradeable, AccessControlEnumerable {
    bytes32 public constant UPGRADER_ROLE = keccak256("UPGRADER_ROLE");

    function initialize(address admin, address upgrader) external {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(UPGRADER_ROLE, upgrader);
    }

    function _authorizeUpgrade(address) internal view override onlyRole(UPGRADER_ROLE) {}
}

/// Two ways to change it: slowly by its owner, at once by its guardian.
contract TwoPaths is AccessControl {
    constructor(address slow, address fast) {
        _grantRole(DEFAULT_ADMIN_ROLE, slow);
        _grantRole(keccak256("PAUSER_ROLE"), fast);
    }

    function paused() external pure returns (bool) {
        return false;
    }
}

/// A module of a Safe that one key commands.
contract KeyModule {
    address public owner;
    address public avatar;

    constructor(address owner_, address avatar_) {
        owner = owner_;
        avatar = avatar_;
    }
}

/// A module that says when it may act, after the manner of Zodiac's Delay: its own modules
/// announce, and the avatar follows after the cooldown.
contract DelayModule {
    address public owner;
    uint256 public txCooldown;
    uint256 public txExpiration;
    address[] internal _modules;

    constructor(address avatar, uint256 cooldown, address announcer) {
        owner = avatar;
        txCooldown = cooldown;
        _modules.push(announcer);
    }

    function getModulesPaginated(address, uint256) external view returns (address[] memory, address) {
        return (_modules, address(1));
    }
}

/// Takes no part in anything; a Safe wants one that answers for it.
contract OpenGuard {
    function checkTransaction(
        address, uint256, bytes memory, uint8, uint256, uint256, uint256, address, address payable,
        bytes memory, address
    ) external {}

    function checkAfterExecution(bytes32, bool) external {}

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0xe6d7a83a || id == 0x01ffc9a7;
    }
}

/// Answers like a Safe and is none.
contract AlmostSafe {
    address internal singleton;
    address[] internal owners;

    constructor(address logic, address[] memory owners_) {
        singleton = logic;
        owners = owners_;
    }

    function getOwners() external view returns (address[] memory) {
        return owners;
    }

    function getThreshold() external pure returns (uint256) {
        return 2;
    }

    function VERSION() external pure returns (string memory) {
        return "1.4.1";
    }
}

/// The executor of Aave's second governance, as far as it is read.
contract AaveExecutor {
    address internal _admin;
    uint256 internal _delay;

    constructor(address admin_, uint256 delay_) {
        _admin = admin_;
        _delay = delay_;
    }

    function getAdmin() external view returns (address) {
        return _admin;
    }

    function getDelay() external view returns (uint256) {
        return _delay;
    }

    function GRACE_PERIOD() external pure returns (uint256) {
        return 5 days;
    }
}

/// The payloads controller of Aave's third governance, as far as it is read.
contract AavePayloads {
    struct Executor {
        address executor;
        uint40 delay;
    }

    address public owner;
    address public guardian;
    address public CROSS_CHAIN_CONTROLLER;
    mapping(uint8 => Executor) internal _executors;

    constructor(address owner_, address guardian_, address bridge) {
        owner = owner_;
        guardian = guardian_;
        CROSS_CHAIN_CONTROLLER = bridge;
    }

    function set(uint8 level, address executor, uint40 delay) external {
        _executors[level] = Executor(executor, delay);
    }

    function getExecutorSettingsByAccessControl(uint8 level) external view returns (Executor memory) {
        return _executors[level];
    }
}

/// A token that is only as good as what is locked elsewhere, and as who says that it is.
contract Bridged {
    address public bridge;
    address public minter;

    constructor(address bridge_) {
        bridge = bridge_;
        minter = bridge_;
    }
}

/// Answers every question with the same word.
contract SaysYes {
    fallback(bytes calldata) external returns (bytes memory) {
        return abi.encode(uint256(1));
    }
}

contract Votes is ERC20, ERC20Votes {
    constructor() ERC20("Votes", "VOTE") EIP712("Votes", "1") {}

    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}

contract Parliament is Governor, GovernorCountingSimple, GovernorVotes, GovernorTimelockControl {
    constructor(IVotes token, TimelockController timelock_)
        Governor("Parliament")
        GovernorVotes(token)
        GovernorTimelockControl(timelock_)
    {}

    function votingDelay() public pure override returns (uint256) {
        return 1 days;
    }

    function votingPeriod() public pure override returns (uint256) {
        return 5 days;
    }

    function quorum(uint256) public pure override returns (uint256) {
        return 1;
    }

    function state(uint256 id) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(id);
    }

    function proposalNeedsQueuing(uint256 id)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(id);
    }

    function _queueOperations(
        uint256 id, address[] memory t, uint256[] memory v, bytes[] memory d, bytes32 h
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(id, t, v, d, h);
    }

    function _executeOperations(
        uint256 id, address[] memory t, uint256[] memory v, bytes[] memory d, bytes32 h
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(id, t, v, d, h);
    }

    function _cancel(address[] memory t, uint256[] memory v, bytes[] memory d, bytes32 h)
        internal
        override(Governor, GovernorTimelockControl)
        returns (uint256)
    {
        return super._cancel(t, v, d, h);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}
