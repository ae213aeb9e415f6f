"""The error codes of the network provider."""

from __future__ import annotations

from azure_simulator.http import ArmError


class InterfaceInUseError(ArmError):
    """400: a machine has the interface."""

    def __init__(self, interface_id: str, machine_id: str) -> None:
        super().__init__(
            400,
            "NicInUse",
            f"Network Interface {interface_id} is used by existing resource {machine_id}. In order to delete the network interface, "
            "it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
            details=[],
        )


class InvalidResourceReferenceError(ArmError):
    """400: something named does not exist."""

    def __init__(self, missing: str, by: str) -> None:
        super().__init__(
            400,
            "InvalidResourceReference",
            f"Resource {missing} referenced by resource {by} was not found. Please make sure that the referenced resource exists, "
            "and that both resources are in the same region.",
            details=[],
        )


class PublicAddressInUseError(ArmError):
    """400: an interface has the public address."""

    def __init__(self, address_id: str, user: str) -> None:
        super().__init__(
            400,
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {address_id} can not be deleted since it is still allocated to resource {user}. In order to delete "
            "the public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see "
            "aka.ms/deletepublicip.",
            details=[],
        )


class SubnetInUseError(ArmError):
    """400: interfaces are in one of the network's subnets."""

    def __init__(self, subnet_id: str, user: str) -> None:
        super().__init__(
            400,
            "InUseSubnetCannotBeDeleted",
            f"Subnet {subnet_id.rsplit('/', 1)[-1]} is in use by {user} and cannot be deleted. In order to delete the subnet, delete "
            "all the resources within the subnet. See aka.ms/deletesubnet.",
            details=[],
        )


class SecurityGroupInUseError(ArmError):
    """400: an interface or subnet uses the security group."""

    def __init__(self, group_id: str, user: str) -> None:
        super().__init__(
            400,
            "InUseNetworkSecurityGroupCannotBeDeleted",
            f"Network security group {group_id} cannot be deleted because it is in use by the following resources: {user}. In order "
            "to delete the Network security group, remove the association with the resource(s). To learn how to do this, see "
            "aka.ms/deletensg.",
            details=[],
        )


class LoadBalancerInUseError(ArmError):
    """400: a scale set names one of the load balancer's pools."""

    def __init__(self, balancer_id: str, scale_set_id: str) -> None:
        super().__init__(
            400,
            "LoadBalancerInUseByVirtualMachineScaleSet",
            f"Cannot delete load balancer {balancer_id} since its child resources {balancer_id.rsplit('/', 1)[-1]} are in use by virtual "
            f"machine scale set {scale_set_id}.",
            details=[],
        )
