"""The activity log: what was done, by whom, from where. Reads only; `azure_simulator.activity` writes it."""
