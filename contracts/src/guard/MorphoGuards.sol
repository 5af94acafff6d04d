// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {GuardDelegate} from "./GuardDelegate.sol";
import {GuardModule} from "./GuardModule.sol";
import {MorphoLending} from "./Morpho.sol";

contract MorphoGuardModule is GuardModule, MorphoLending {
    constructor(address owner_) GuardModule(owner_) {}
}

contract MorphoGuardDelegate is GuardDelegate, MorphoLending {}
