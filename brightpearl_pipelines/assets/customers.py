"""Customers: people and companies who buy, known to the shops by orders and accounts, to Brightpearl as contacts.

Here: the words and the dependencies of the customer assets. How they come about: factory.py and perform.py.
"""

from brightpearl_pipelines.assets.factory import EntityAssets

CUSTOMERS = EntityAssets(
    entity="customer",
    extracted=(
        "The {what} of **{connection}** as its API gave them: the latest version of each, nothing changed or left out."
    ),
    mapped=(
        "Every customer once. The same person in several systems is found by e-mail address, then by name and "
        "address; what is merely alike waits for a person: `bpp reviews list`.\n\n"
        "Where two systems disagree about a field, the survivorship rules in connections.yaml decide, and the "
        "conflict is recorded."
    ),
    published=(
        "Customers written to **{connection}**: new ones with their addresses, known ones only in the fields that "
        "changed. Orders wait for their customer."
    ),
)
