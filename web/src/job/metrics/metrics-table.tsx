import { clockText } from "../replay/clock-text.ts";
import type { ChartSpec } from "./chart.tsx";
import { type MetricSeries, thinned } from "./metric-series.ts";

const ROWS_MAX = 120;

/** The same figures as a table, for those who cannot see curves. */
export function MetricsTable({
  series,
  metrics,
}: {
  series: MetricSeries;
  metrics: readonly {
    name: string;
    values: (series: MetricSeries) => readonly (number | null)[];
    spec: Pick<ChartSpec, "format">;
  }[];
}) {
  const length = series.at.length;
  const last = series.at.at(-1) ?? 0;
  return (
    <details className="mt-3 text-sm">
      <summary className="w-fit cursor-pointer rounded-sm text-quiet text-xs hover:text-ink">
        The same as a table
      </summary>
      <div className="mt-2 overflow-x-auto rounded-md border">
        <table className="w-full border-collapse text-xs">
          <caption className="sr-only">
            What the job used over time
            {length > ROWS_MAX ? `; ${ROWS_MAX} of ${length} samples, evenly chosen` : ""}
          </caption>
          <thead className="bg-sunken text-left">
            <tr>
              <th scope="col" className="px-3 py-1.5 font-medium">
                Time
              </th>
              {metrics.map(({ name }) => (
                <th key={name} scope="col" className="px-3 py-1.5 text-right font-medium">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {thinned(length, ROWS_MAX).map((row) => (
              <tr key={row} className="tabular border-t">
                <th scope="row" className="px-3 py-1 text-left font-normal text-soft">
                  {clockText(series.at[row] ?? 0, last)}
                </th>
                {metrics.map(({ name, values, spec }) => {
                  const value = values(series)[row] ?? null;
                  return (
                    <td key={name} className="px-3 py-1 text-right">
                      {value === null ? "–" : spec.format(value)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
