"""Steps that stop the attack: reversible, and planned only for what was judged the attacker's."""
