"""`python -m work_data_hub.cli` is `wdh`."""

from work_data_hub.cli.app import main

main()
