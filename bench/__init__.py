"""How fast Compass is, beside what it is compared to, on the machine where this runs.

`make bench` prints one table. What is compared is measured in turns (A B C A B C …), so that
a machine that is busy for a while is busy for all of them.
"""
