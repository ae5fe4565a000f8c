"""Every error WorkDataHub raises on purpose, on one page.

WorkDataHubError                                                     exit 1
├── Unexpected          a fault of the program itself                exit 1
├── Interrupted         Ctrl-C, or a signal to end               exit 130
├── ConfigError         a setting, YAML file or declaration is wrong exit 2
│   └── UsageError      the command line asks for the impossible     exit 2
├── SourceError         the input cannot be used                     exit 3
│   └── WorkbookNotFound · AmbiguousWorkbook · UnsafePath · UnreadableWorkbook ·
│       SheetMissing · HeadingsMissing · HeadingsDuplicated · NoDataRows · WrongMonth
├── DataError           more rows rejected than tolerated            exit 4
│   ├── ShrinkRefused   the load would remove too much               exit 4
│   └── TotalsDiffer    a total is not the sum of its rows           exit 4
├── WarehouseError      PostgreSQL refused or cannot be reached      exit 5
│   ├── SchemaDrift     tables or migration head are not as expected exit 5
│   ├── RowsNotKept     a table took other rows than were sent       exit 5
│   ├── MalformedUrl    the URL of a database cannot be read         exit 5
│   └── LoadLocked      another run holds the domain and month       exit 6
├── DirectoryError      the company registry refused                 exit 7
│   └── RegistryRefused · RegistryUnavailable
├── HookFailed          facts are loaded, a hook is not              exit 8
├── ClusterError        the workers of a spread load are of no use   exit 1
├── NoticeNotSent · NoticeRefused   a notice did not arrive          exit 1
└── BatchError          a pipeline run cannot go on                  exit 1
    └── InvalidPipeline · SourceLost · SinkUnavailable · TooManyDeadLetters · LeaseLost

It prints as one line: `[TYPE] file › sheet!cell: message | Domain: … | Row: … | Field: … | value … | rule … | hint: …`
"""

import re


class WorkDataHubError(Exception):
    """A failure with its facts: where, which value, which rule, and what to do next.

    Every other error is one of its kinds; printed under this name it says all that is known of it.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        domain: str | None = None,
        file: str | None = None,
        sheet: str | None = None,
        cell: str | None = None,
        row_number: int | None = None,
        field: str | None = None,
        input_data: str | None = None,
        rule: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message, self.operation, self.domain = message, operation, domain
        self.file, self.sheet, self.cell = file, sheet, cell
        self.row_number, self.field, self.input_data = row_number, field, input_data
        self.rule, self.hint = rule, hint
        super().__init__(message)

    @property
    def error_type(self) -> str:
        """The class name in capitals: `HeadingsMissing` → `HEADINGS_MISSING`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).upper()

    @property
    def place(self) -> str:
        """`file › sheet!cell`, as far as known."""
        inside = "!".join(part for part in (self.sheet, self.cell) if part)
        return " › ".join(part for part in (self.file, inside) if part)

    def __str__(self) -> str:
        head = f"[{self.error_type}] " + ": ".join(part for part in (self.place, self.message) if part)
        facts = {
            "Domain: {}": self.domain,
            "Row: {}": self.row_number,
            "Field: {}": self.field,
            "value {!r}": self.input_data,
            "rule {}": self.rule,
            "hint: {}": self.hint,
        }
        line = " | ".join([head, *(form.format(fact) for form, fact in facts.items() if fact is not None)])
        return " ".join(line.split())


class Unexpected(WorkDataHubError):
    """A fault of the program itself, not of the input.

    What was being written was rolled back. Run the command again with `--debug`, which shows where it
    happened, and report that; the other domains of the same call are not touched by it.
    """

    @classmethod
    def of(cls, bug: Exception, *, domain: str | None = None) -> "Unexpected":
        """The sentence for any exception; its own text may hold data and stays out of it."""
        return cls(type(bug).__name__, domain=domain, hint="run it again with --debug and report what it shows")


NOTHING_UNFINISHED = "interrupted; nothing of an unfinished load was written"
HOOKS_UNFINISHED = "interrupted after the load was committed; the same command again runs the hooks that are left"


class Interrupted(WorkDataHubError):
    """The run was asked to end.

    The transaction of the domain that was under way was rolled back: its month is as before. Domains of the
    same call that were loaded before it stay loaded, and stand in the report. Run the command again.
    """

    exit_code = 130

    def __str__(self) -> str:
        return self.message


class ConfigError(WorkDataHubError):
    """A setting, YAML file or declaration is wrong.

    Nothing was read or written yet. The message names the file, the key or the line, what stood there and what may
    stand there. Correct that place, or the environment variable it names, and run the same command again.
    """

    exit_code = 2


class UsageError(ConfigError):
    """The command line asks for something that cannot be done.

    Two options contradict each other, a name is unknown, or something that is needed was left out. Nothing
    was done; the hint gives the option to change, and `--help` behind the command lists them all.
    """


class SourceError(WorkDataHubError):
    """The input cannot be used.

    The workbook as a whole is refused before a row of it counts, because a part of it would be a guess.
    Nothing was written and the month in the warehouse is what it was.
    """

    exit_code = 3


class WorkbookNotFound(SourceError):
    """No file answers the domain's patterns.

    The folder of the month was looked through and no name fits `file_patterns`, or what fits is excluded (lock files,
    mails). Put the workbook into the folder the message names, or correct the block in `config/data_sources.yml`.
    """


class AmbiguousWorkbook(SourceError):
    """Several files or versions answer, and nothing says which.

    Taking one of them by chance could load the wrong delivery. Remove the copy, or say which with
    `--file-selection`, `--version` or `--max-files`, or for good in `config/data_sources.yml`.
    """


class UnsafePath(SourceError):
    """The path leaves the data root or is not a regular file.

    Links that lead out of the data root, devices and folders are never opened. Put a real file into the
    month's folder, or name it with `--file`.
    """


class UnreadableWorkbook(SourceError):
    """The file is not a workbook that can be read safely.

    It is damaged, protected by a password, another format under the name `.xlsx`, or far larger inside than outside.
    Open it in Excel and save it as .xlsx; if Excel cannot open it either, ask its sender for it again.
    """


class SheetMissing(SourceError):
    """The workbook has no sheet of that name.

    The message lists the sheets there are. A sheet that goes by another name for good belongs into
    `sheet_names` in `config/data_sources.yml`; for once, `--sheet` names it.
    """


class HeadingsMissing(SourceError):
    """The sheet lacks headings that the domain needs.

    A column that must be there was not recognised, so the file is refused rather than loaded with an empty
    column. Where another heading looks like the missing one, it is proposed with a confidence and the
    reasons; nothing is taken over until somebody accepts it with `wdh domain accept-heading`, or mends the
    workbook. A column that may be missing is treated the same way while an unknown heading looks like its new
    name; `wdh domain ignore-heading` says that it is something else.
    """


class HeadingsDuplicated(SourceError):
    """Two headings of the sheet are the same after folding.

    Width, case and blanks do not tell headings apart. Which of two equal columns counts cannot be known:
    delete or rename one of them.
    """


class NoDataRows(SourceError):
    """The sheet is empty or has headings only.

    An empty delivery would empty the month. Check that this is the right sheet and the final file. Of several
    sheets that belong together, one may have headings only: that is said, and the others are read.
    """

    has_headings = False


class WrongMonth(SourceError):
    """Rows belong to another month than the run.

    Every row's month is compared with the month of the folder; one row of another month refuses the file,
    because loading it would put facts into a month nobody asked for. Correct the rows, or move the file to
    the folder of its month.
    """


class DataError(WorkDataHubError):
    """More rows were rejected than the run tolerates.

    Each rejected row has its reason, its cell and its value, and stands in the rejects workbook of an
    executed run. Correct the cells there and send them back with `wdh requeue`, correct the source, or
    tolerate them with `--max-rejects`. By default none are tolerated, and nothing of the file was loaded.
    """

    exit_code = 4


class ShrinkRefused(DataError):
    """The load would remove too much unasked.

    A file that is much smaller than what it replaces is more often half a file than a correction. Check that
    it is complete; if it is, `--allow-shrink` loads it.
    """


class TotalsDiffer(DataError):
    """A total is not the sum of its rows.

    A row that only adds up others (合计, 小计, 总计 and the like) is never loaded; what it states is compared with
    the rows it stands for, as parsed, as cleaned and as the warehouse would hold them. A row is missing,
    stands twice or was changed after the total was made: correct the rows or the total. How far the two may
    be apart is `totals_tolerance` of the domain in `config/data_sources.yml`. Nothing was loaded.
    """


class WarehouseError(WorkDataHubError):
    """PostgreSQL refused or cannot be reached.

    The transaction was rolled back: the warehouse is as before. `wdh etl --check-db` says what is missing:
    the server, the database, a schema, a table or a privilege.
    """

    exit_code = 5


class SchemaDrift(WarehouseError):
    """Tables or migration head are not what this version expects.

    The code and the database are of different versions, or somebody changed a table by hand. `wdh db migrate`
    brings the database to this version; `wdh schema check` names every difference.
    """


class RowsNotKept(WarehouseError):
    """A table took other rows than were sent to it.

    They are counted before the load commits, and nothing was loaded. The code sends each row once, so that a trigger
    or a rule on the table changes what is written: look for it (`wdh db shell`, `\\d+ <table>`), and load again.
    """


class MalformedUrl(WarehouseError):
    """The URL of a database cannot be read, so that no server was asked at all.

    Nothing was done, and trying again does not help. Correct the setting that the message names, DATABASE_URL
    or ETL_READER_URL; letters such as @ : / ? # % in a password are written as %40 %3A %2F %3F %23 %25.
    """


class LoadLocked(WarehouseError):
    """Another run holds what this one needs.

    Two loads of one domain and month never run at once. The message names the holder; wait, or let `--lock-wait`
    do so. A process that was killed frees its hold within seconds.
    """

    exit_code = 6


class DirectoryError(WorkDataHubError):
    """The company registry refused.

    Companies that the registry did not name keep a temporary id and are asked for again later; rows are never lost.
    """

    exit_code = 7


class RegistryRefused(DirectoryError):
    """The registry does not take the token.

    It is asked nothing more in this run. A token dies after about thirty minutes without use: sign in to the
    registry, put the fresh token into `WDH_EQC_TOKEN`, and see with `wdh registry check` that it counts. Names
    that were not asked wait in the queue; `wdh identity queue --drain` asks for them.
    """


class RegistryUnavailable(DirectoryError):
    """The registry gives no usable answer.

    It cannot be reached, is too slow or busy, gives what cannot be read, or the time for asking is used up. Loads
    go on with temporary ids, and the names wait in the queue; ask again later with `wdh identity queue --drain`.
    """


ONLY_WHAT_FAILED = "run the same command again: the facts stay, and only what failed and what builds on it runs"


class HookFailed(WorkDataHubError):
    """Facts are loaded, a hook is not.

    The load is committed and stays. Run the same command again: the facts are then unchanged and only the hook runs.
    """

    exit_code = 8


class ClusterError(WorkDataHubError):
    """The workers of a spread load are of no use.

    Nothing was written: every answer is there and checked before the load begins. Mend what the message names, or
    unset WDH_DASK_SCHEDULER, and run the same command again: one machine alone gives the same result.
    """


class NoticeNotSent(WorkDataHubError):
    """A notice of a failed run or check did not arrive.

    It is tried again until it arrives. Check the setting that is named, and that its server answers.
    """


class NoticeRefused(NoticeNotSent):
    """A notice will never be taken, and is passed over: read it in Dagster, and check the setting that is named.

    Its server answered, and refused it for good. The notices after it are sent as always, by the same way and others.
    """


class BatchError(WorkDataHubError):
    """A run of a batch pipeline cannot go on.

    Every batch before it is committed together with its checkpoint, and nothing of the batch that failed is
    written. The pipeline stands as FAILED; request the run again once what the message names is mended.
    """


class InvalidPipeline(BatchError):
    """The definition breaks a rule: a target that is not allowed, tasks in a wrong order, a key no query gives.

    Nothing was read or written, and trying again would not help; change the definition.
    """


class SourceLost(BatchError):
    """The connection to the source broke off while rows were read.

    What was committed stays. The runner connects again and goes on from the checkpoint; it gives up, and the
    run fails, only when that does not help several times in a row.
    """


class SinkUnavailable(BatchError):
    """The target takes nothing for now: it is down, too busy, or its table is away.

    The batch is tried again after a wait; nothing of it was written. When it stays so the run fails: see that
    the target is there, then request the run again.
    """


class TooManyDeadLetters(BatchError):
    """More rows of a run were set aside than its pipeline tolerates (`dlq_max_rows`, `dlq_max_ratio`).

    The batch in which that showed was not written. Look at the dead letters, correct their source or the query,
    and request the run again.
    """


class LeaseLost(BatchError):
    """Another runner holds the pipeline by now, since this one was silent for longer than its lease.

    Nothing of the batch at hand was written, and the other runner goes on from the last one that was. Nothing
    has to be done; if it happens often, lengthen ETL_LEASE_SECONDS.
    """
