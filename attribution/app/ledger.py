"""``attribution ledger``: record and import fills, ask whose they are, and what each strategy made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from attribution.app.ledger_correct import CORRECT_EPILOG, correct
from attribution.app.ledger_door import EXIT_SOME, open_service
from attribution.app.ledger_explain import explain
from attribution.app.ledger_import import Source, source_of, statement_of, tell_import
from attribution.app.ledger_tables import currency_shown, fill_row, number, render_rows
from attribution.app.ledger_words import amount_of, currency_code, instant_of, moment_of, pairs_of, sum_of, weights_of
from attribution.app.output import Format, complain, emit, format_of, message
from attribution.app.sheet import InputError
from attribution.ledger.canonical import digest
from attribution.ledger.contracts import contract_of
from attribution.ledger.importers import import_statement
from attribution.ledger.performance import TradePerformanceService
from attribution.ledger.query import GROUPS, ORDERS, TradeLedgerQuery

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Record fills, and tell whose P&L it was: lots, positions and P&L per strategy, exact to the last unit.",
)

app.command(epilog=CORRECT_EPILOG)(correct)
app.command(epilog="Exit codes: 0 everything is explained · 1 something is not, and is told · 2 wrong usage.")(explain)

_Folder = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FOLDER",
        show_default=False,
        help="Where the ledger is kept. \\[default: TRADE_LEDGER_BASE_PATH, else ./data/trade_ledger]",
    ),
]
_Account = Annotated[str, typer.Option("--account", metavar="NAME", help="Whose account.")]
_Closing = Annotated[
    str,
    typer.Option("--closing", help="Whose position an untagged fill closes: pro_rata, fifo, weights or house."),
]
_Form = Annotated[
    Format | None, typer.Option("--format", help="\\[default: by --output's ending, else table]", show_default=False)
]
_Output = Annotated[Path | None, typer.Option(help="Write to this file, whole or not at all.")]
_Exchange = Annotated[
    str | None,
    typer.Option(help="The home of symbols that do not say it. \\[default: US for tickers]", show_default=False),
]
_Price = Annotated[
    list[str] | None,
    typer.Option("--price", metavar="SYMBOL=PRICE", show_default=False, help="A current price; repeat for several."),
]


@app.command(
    epilog="Exit codes: 0 recorded · 1 the log could not be reached, the fill waits in the spool · 2 not recorded: "
    "wrong usage, or neither log nor spool can be written."
)
def record(
    symbol: Annotated[str, typer.Argument(help="AAPL, SPXW230113P03965000, NIFTY_OPT_20250130_CALL_23500.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    quantity: Annotated[str, typer.Argument(help="Units, more than 0.")],
    price: Annotated[str, typer.Argument(help="Per unit.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            metavar="NAME[=WEIGHT]",
            show_default=False,
            help="Whose it is; repeat with weights for several, a name alone counts 1. Without one it is untagged.",
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--time", help="When it was filled, in the exchange's zone. \\[default: now]")
    ] = None,
    order_id: Annotated[
        str | None, typer.Option(help="The broker's. \\[default: made of the fill's own facts]")
    ] = None,
    fill_id: Annotated[str | None, typer.Option(help="The broker's. \\[default: cum:QUANTITY]")] = None,
    client_order_id: Annotated[str | None, typer.Option(help="Ours; it may name the strategy.")] = None,
    fees: Annotated[str | None, typer.Option(help="In currency. \\[default: not known]")] = None,
    bid: Annotated[str | None, typer.Option(help="At the fill.")] = None,
    ask: Annotated[str | None, typer.Option(help="At the fill.")] = None,
    multiplier: Annotated[str | None, typer.Option(help="\\[default: the contract's own]")] = None,
    currency: Annotated[str, typer.Option(help="Of price and fees.")] = "USD",
    run: Annotated[str | None, typer.Option("--run", help="The run it belongs to (correlation id).")] = None,
    notes: Annotated[str | None, typer.Option(help="A remark.")] = None,
    closing: _Closing = "pro_rata",
    ledger: _Folder = None,
    account: _Account = "default",
    exchange: _Exchange = None,
) -> None:
    """Record one fill. The same fill again changes nothing."""
    with open_service(ledger, account, closing=closing, writes=True, exchange=exchange) as service:
        filled_at = instant_of(at, symbol, exchange)
        order = {
            "success": True,
            "symbol": symbol,
            "action": side,
            "filled_qty": amount_of("QUANTITY", quantity),
            "fill_price": amount_of("PRICE", price),
            "filled_at": filled_at,
            "order_id": order_id or digest(f"{symbol}|{side}|{quantity}|{price}|{filled_at.isoformat()}")[:16],
            "fill_id": fill_id,
            "client_order_id": client_order_id,
            "fees": None if fees is None else amount_of("--fees", fees),
            "bid_at_fill": None if bid is None else amount_of("--bid", bid),
            "ask_at_fill": None if ask is None else amount_of("--ask", ask),
            "multiplier": None if multiplier is None else amount_of("--multiplier", multiplier),
            "currency": currency_code(currency),
            "strategy_weights": weights_of(strategy or []),
            "notes": notes,
        }
        entry = service.record_filled_order(order, run)
        health = service.health()
        if entry is None:
            nothing = "not recorded: it adds nothing to what is on record, or was busted"
            raise InputError(health.unrecorded[-1].reason if health.unrecorded else nothing)
        if health.log.in_memory:
            reasons = (
                f"neither the log ({health.log.last_error}) nor the spool ({health.log.spool_error}) can be written"
            )
            raise InputError(f"not recorded: {reasons}")
        shares = ", ".join(f"{name} {number(q)}" for name, q in sorted(entry.strategy_quantities.items()))
        place = f"#{entry.seq}" if entry.seq else "waiting"
        typer.echo(
            f"{place} {entry.direction} {number(entry.filled_qty)} {entry.symbol} @ {number(entry.fill_price)}"
            f" → {shares or 'nobody yet'} ({entry.policy or 'to be divided'})"
        )
        if health.waiting:
            message(f"the log could not be reached: {health.waiting} waiting in the spool ({health.log.last_error})")
            raise typer.Exit(EXIT_SOME)


@app.command(epilog="Exit codes: 0 nothing waits and every fill has its owners · 1 not so, and told · 2 wrong usage.")
def replay(ledger: _Folder = None, account: _Account = "default", closing: _Closing = "pro_rata") -> None:
    """Append what waits in the spool, and write whose the fills are that are on record without their owners."""
    with open_service(ledger, account, closing=closing, writes=True) as service:
        waited = service.health().waiting
        health = service.replay()
        typer.echo(f"spool: {waited - health.waiting} of {waited} batches appended, {health.log.damaged} damaged")
        if health.waiting:
            message(f"the log could not be reached: {health.log.last_error}")
        else:
            unowned = health.unallocated or "no"
            typer.echo(f"log: {service.log.head().seq} entries, {unowned} fills without their owners")
        if not health.ok:
            raise typer.Exit(EXIT_SOME)


@app.command("import", epilog="Exit codes: 0 every row is on record · 1 some rows are listed instead · 2 wrong usage.")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The broker's export.")],
    form: Annotated[
        Source | None, typer.Option("--from", help="\\[default: by the file's ending and columns]", show_default=False)
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="Whose the fills are. \\[default: untagged]")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns", metavar="FIELD=Header,…", show_default=False, help="For csv: your names of the columns."
        ),
    ] = None,
    zone: Annotated[str, typer.Option(help="For csv: where times without a zone were written.")] = "UTC",
    closing: _Closing = "pro_rata",
    ledger: _Folder = None,
    account: _Account = "default",
    exchange: _Exchange = None,
) -> None:
    """Import a broker's export. Rows on record already stay; rows that cannot be recorded are listed, never dropped."""
    with open_service(ledger, account, closing=closing, writes=True, exchange=exchange) as service:
        statement = statement_of(file, form or source_of(file), account, strategy, columns or [], zone, exchange)
        report = import_statement(service, statement)
        tell_import(file, report)
        if report.unmatched or not report.reconciles:
            raise typer.Exit(EXIT_SOME)


@app.command(epilog="Exit codes: 0 · 2 wrong usage or no ledger.")
def query(
    strategy: Annotated[str | None, typer.Option(help="Fills in which this strategy has a share.")] = None,
    symbol: Annotated[str | None, typer.Option()] = None,
    side: Annotated[str | None, typer.Option(help="buy or sell.")] = None,
    asset_type: Annotated[str | None, typer.Option(help="STOCK, OPTION, FUTURE, …")] = None,
    account: Annotated[str | None, typer.Option("--account", help="\\[default: all]")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of price and fees. \\[default: all]", show_default=False)
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="First day or instant, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last day or instant, UTC.")] = None,
    limit: Annotated[int | None, typer.Option(min=1)] = None,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    order_by: Annotated[str, typer.Option(help=", ".join(ORDERS))] = "timestamp",
    descending: Annotated[bool, typer.Option("--descending", help="Turn the order around.")] = False,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="|".join(GROUPS), help="Totals by this instead; repeat.", show_default=False),
    ] = None,
    form: _Form = None,
    output: _Output = None,
    ledger: _Folder = None,
) -> None:
    """List fills, or their exact totals by group."""
    with open_service(ledger, account or "default") as service:
        asked = TradeLedgerQuery(
            strategy_name=strategy,
            symbol=None if symbol is None else contract_of(symbol).symbol,
            asset_type=asset_type,
            side=side,
            account_id=account,
            start_date=moment_of("--start", start),
            end_date=moment_of("--end", end),
            limit=limit,
            offset=offset,
            order_by=order_by,
            ascending=not descending,
            currency=currency,
        )
        chosen = format_of(form, output)
        if by:
            rows: list[dict[str, Any]] = [total.to_dict() for total in service.totals(by, asked)]
            kinds = {name: "number" if "quantity" in name else "money" for name in rows[0]} if rows else {}
            shown = {**kinds, **dict.fromkeys((*by, "currency", "count", "fees_unknown"), "text")} if rows else {}
        elif chosen is Format.TABLE:
            rows = [fill_row(fill) for fill in service.find(asked)]
            shown = {**dict.fromkeys(("seq", "time", "symbol", "side"), "text"), "quantity": "number"}
            shown |= {
                "price": "number",
                "fees": "number",
                **currency_shown(rows),
                "strategies": "text",
                "policy": "text",
            }
        else:
            rows, shown = [fill.to_dict() for fill in service.find(asked)], {}
        emit(render_rows(rows, chosen, shown), output)


@app.command(epilog="Exit codes: 0 · 2 wrong usage or no ledger.")
def positions(
    strategy: Annotated[str | None, typer.Option()] = None,
    symbol: Annotated[str | None, typer.Option()] = None,
    lots: Annotated[bool, typer.Option("--lots", help="Each open lot, in the order in which they will close.")] = False,
    form: _Form = None,
    output: _Output = None,
    closing: _Closing = "pro_rata",
    ledger: _Folder = None,
    account: Annotated[str | None, typer.Option("--account", help="\\[default: all]")] = None,
) -> None:
    """What each strategy holds, and what it cost."""
    with open_service(ledger, account or "default", closing=closing) as service:
        book, rows = service.book, []
        if lots:
            for lot in book.lots(strategy, symbol, account):
                opened = datetime.fromtimestamp(lot.ts // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
                own = {"quantity": lot.quantity, "cost": lot.cost, "fees": lot.fees, "opened": opened, "lot": lot.key}
                rows.append({"strategy": lot.strategy, "symbol": lot.symbol, **own, "currency": lot.currency})
        else:
            for held in book.positions(strategy, symbol, account):
                own = {"quantity": held.quantity, "average_price": held.average_price, "cost": held.cost}
                own |= {"realised": held.realised, "currency": held.currency}
                rows.append({"strategy": held.strategy, "symbol": held.symbol, **own})
        kinds = {"strategy": "text", "symbol": "text", "quantity": "number", "cost": "money", "opened": "text"}
        shown = {name: kinds.get(name, "number" if "price" in name else "money") for name in (rows[0] if rows else {})}
        shown |= {"lot": "text"} if lots and rows else {}
        shown = {name: kind for name, kind in shown.items() if name != "currency"} | currency_shown(rows)
        emit(render_rows(rows, format_of(form, output), shown), output)


@app.command(
    epilog="Exit codes: 0 · 1 a price is missing, and what depends on it is unknown · 2 wrong usage or no ledger."
)
def pnl(
    strategy: Annotated[str | None, typer.Option()] = None,
    symbol: Annotated[str | None, typer.Option()] = None,
    price: _Price = None,
    currency: Annotated[str | None, typer.Option(help="One of several.", show_default=False)] = None,
    form: _Form = None,
    output: _Output = None,
    closing: _Closing = "pro_rata",
    ledger: _Folder = None,
    account: Annotated[str | None, typer.Option("--account", help="\\[default: all]")] = None,
) -> None:
    """What each strategy made: realised, and unrealised at the prices given."""
    with open_service(ledger, account or "default", closing=closing) as service:
        prices = {
            name: amount_of(f"--price {name}", text) for name, text in pairs_of("--price", price or [], "SYMBOL=PRICE")
        }
        told = TradePerformanceService(service, account_id=account, currency=currency)
        rows: list[dict[str, Any]] = [
            {
                "strategy": row.strategy_name,
                "symbol": row.symbol or "(cash)",
                "open": row.open_quantity,
                "realised": row.realized_pnl,
                "unrealised": row.unrealized_pnl,
                "income": row.income,
                "fees": row.total_fees,
                "total": row.total_pnl,
            }
            for row in told.get_all_performance(prices)
            if row.symbol is not None and strategy in (None, row.strategy_name) and symbol in (None, row.symbol)
        ]
        names = ("realised", "unrealised", "income", "fees", "total")
        total: dict[str, Any] = {"strategy": "Σ", "open": ""}
        total |= {name: sum_of([row[name] for row in rows]) for name in names}
        shown = {"strategy": "text", "symbol": "text", "open": "number", **dict.fromkeys(names, "money")}
        emit(render_rows(rows, format_of(form, output), shown, total=total), output)
        unpaid = service.book.unknown_fees(strategy=strategy, symbol=symbol, account_id=account, currency=currency)
        if unpaid:
            message(f"note: the fees of {unpaid} shares of trades are not known, and in no sum")
        missing = service.book.missing_marks(prices)
        if any(row["unrealised"] is None for row in rows):
            message(f"note: no --price of {', '.join(missing)}: what depends on it is unknown")
            raise typer.Exit(EXIT_SOME)


@app.command(epilog="Exit codes: 0 nothing is wrong · 1 something is, and is told · 2 wrong usage or no ledger.")
def verify(ledger: _Folder = None, account: _Account = "default", closing: _Closing = "pro_rata") -> None:
    """Check every digest and link of the log, and that strategies add up to the account."""
    with open_service(ledger, account, closing=closing) as service:
        head = service.log.verify()
        typer.echo(f"log: {head.seq} entries, every digest and link is right; head {head.digest}")
        faults: list[str] = TradePerformanceService(service).verify_attribution_consistency()["issues"]
        refused = sum(1 for _ in service.log.quarantined())
        if refused:
            faults.append(f"{refused} contradictions in quarantine")
        health = service.health()
        if not health.log.ok:
            faults.append(f"{health.waiting} batches wait in the spool, {health.log.damaged} are damaged")
        if health.unallocated:
            faults.append(f"{health.unallocated} fills are on record without their owners; replay writes them")
        complain(faults)
        if faults:
            raise typer.Exit(EXIT_SOME)
        typer.echo("book: strategies add up to the account exactly")


class Exported(StrEnum):
    """What a ledger can be exported as."""

    LOCAL = "local"
    DATED = "dated"
    RUNS = "runs"
    PARQUET = "parquet"


@app.command(epilog="Exit codes: 0 · 2 wrong usage or no ledger.")
def export(
    layout: Annotated[
        Exported,
        typer.Argument(help="local: ledger.jsonl, index.json · dated: a file per day · runs: one per run · parquet"),
    ],
    to: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    ledger: _Folder = None,
    account: Annotated[str | None, typer.Option("--account", help="\\[default: all]")] = None,
) -> None:
    """Write the documented files, made of the log anew; the same ledger gives the same files."""
    with open_service(ledger, account or "default") as service:
        fills = sorted(service.find(TradeLedgerQuery(account_id=account)), key=lambda fill: fill.seq)
        if layout is Exported.PARQUET:
            from attribution.ledger.snapshots import write_parquet

            try:
                written = [str(path) for path in write_parquet(fills, to)]
            except ImportError as error:
                raise InputError("parquet needs pyarrow: pip install 'options-attribution[history]'") from error
        else:
            from attribution.ledger.exports import Layout, documented_files, write_files
            from attribution.ledger.store.folder import FolderObjects

            written = write_files(documented_files(fills, Layout(layout.value)), FolderObjects(to))
        typer.echo(f"{len(fills)} fills in {to}, {len(written)} files written")
