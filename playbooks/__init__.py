"""The shipped playbooks, as data: read by `firebreak.playbook`, never imported for code."""
