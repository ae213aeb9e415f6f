"""The simulated virtual machines, scale sets, disks, snapshots, sizes and vCPU quota."""
