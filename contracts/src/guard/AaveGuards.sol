// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {GuardDelegate} from "./GuardDelegate.sol";
import {GuardModule} from "./GuardModule.sol";
import {AaveLending} from "./Aave.sol";

contract AaveGuardModule is GuardModule, AaveLending {
    constructor(address owner_) GuardModule(owner_) {}
}

contract AaveGuardDelegate is GuardDelegate, AaveLending {}
