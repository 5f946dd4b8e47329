"""The command `compass`: the SDK for people and shell scripts. Speaks HTTP alone."""


def main() -> None:
    from compass.cli.app import compass

    compass(prog_name="compass")
