// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {GuardDelegate} from "./GuardDelegate.sol";
import {GuardModule} from "./GuardModule.sol";
import {CompoundLending} from "./Compound.sol";

contract CompoundGuardModule is GuardModule, CompoundLending {
    constructor(address owner_) GuardModule(owner_) {}
}

contract CompoundGuardDelegate is GuardDelegate, CompoundLending {}
