"""The paper's ablations (§5.3, App. B.2) run: Tables 2 and 3, and the compared mechanisms, at a scale made for comparing."""
