"""What tests of many packages share: the simulator in this process, reached through the product's own clients."""
