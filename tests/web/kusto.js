// Reads {"schemas": {table: "(column: type, ...)"}, "queries": [text]} and writes what the KQL parser says of each query.
"use strict";
require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.js");

const { KustoCode, GlobalState, Symbols } = Kusto.Language;
const { schemas, queries } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const tables = Object.entries(schemas).map(([name, columns]) => Symbols.TableSymbol.From(columns).WithName(name));
const state = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("logs", tables));
const said = queries.map((query) => {
  const found = KustoCode.ParseAndAnalyze(query, state).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, place) => {
    const one = found.getItem(place);
    return `${one.Severity}: ${one.Message} (${query.substr(one.Start, Math.max(one.Length, 1))})`;
  });
});
process.stdout.write(JSON.stringify(said));
