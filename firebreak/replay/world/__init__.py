"""What if: the plan that a replay approved, carried out in earnest on the embedded Azure that holds the recorded subscription.

    record.write(bundle, past, number, file)               # the bundle's answers of one look, for the embedded Azure to load
    settings = embedded_settings(...)                      # the one place that says where anything goes: that process, nowhere else
    carried = await carry_out(staged, plans, settings)     # gates, journal, waves and proofs as ever
    await tried_again(...)                                 # what the attacker did after the alert, once more
    told(...)                                              # what stopped, what hung on it, how long it took, what it saved

Starting the embedded Azure is the command line's business.
"""
