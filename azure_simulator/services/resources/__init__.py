"""Resource groups and the generic view of resources: lists with filters, reads, writes and deletes of any type by id."""
