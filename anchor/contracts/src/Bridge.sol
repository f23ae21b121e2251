// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Anchor} from "./Anchor.sol";
import {Exit} from "./Exit.sol";
import {Inbox} from "./Inbox.sol";

/// What is deployed: way in, checkpoints and way out under one address, so that all money is in one
/// place and no contract trusts another. There is no owner and no proxy; a new version is a new
/// bridge, and everybody can leave this one.
contract Bridge is Exit {
    constructor(Anchor.Terms memory terms, Inbox.Asset[] memory list) Anchor(terms, list) {}
}
