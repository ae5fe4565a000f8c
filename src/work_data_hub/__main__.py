"""`python -m work_data_hub` is `wdh`."""

from work_data_hub.cli.app import main

main()
