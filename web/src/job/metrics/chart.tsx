import "uplot/dist/uPlot.min.css";
import { useEffect, useEffectEvent, useLayoutEffect, useRef } from "react";
import uPlot from "uplot";
import { clockText } from "../replay/clock-text.ts";
import { type Colours, useThemeColours } from "./theme-colours.ts";

const HEIGHT_PX = 132;
const FONT = '11px "Inter Variable", ui-sans-serif, sans-serif';
/** Under how much of a limit its line would only press the curve flat. */
const LIMIT_SHOWN_FROM = 0.35;
const STEP_TICK_PX = 5;

export type ChartColour = "accent" | "other" | "person" | "good";
export type ChartStep = { at: number; failed: boolean };

export type ChartSpec = {
  colour: ChartColour;
  /** The curve keeps its value until the next sample, as counts do. */
  stepped?: boolean;
  /** Its data has a second curve, of the most until then. */
  peaks?: boolean;
  /** Drawn as a line once the curve comes near. */
  limit: number | null;
  /** What the axis reaches at least. */
  top: number;
  format(value: number): string;
  /** Distances that its axis may count in; the library's own by default. */
  steps?: number[];
};

/** With a third array that is drawn as a broken line: the most until then. */
type Data = [at: number[], ...curves: (number | null)[][]];

/**
 * One curve over the time of a job, in ms. Charts of one `group` share their cursor. `moment` is where a replay is; `onPick` is told the time
 * that somebody clicked at, `onHover` the sample that is pointed at.
 */
export function Chart(props: {
  spec: ChartSpec;
  data: Data;
  steps: readonly ChartStep[];
  span: { from: number; to: number };
  group: string;
  moment: number | null;
  onPick: ((at: number) => void) | null;
  onHover: (index: number | null) => void;
}) {
  const { spec, data, span, group, moment, steps } = props;
  const colours = useThemeColours();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const line = useRef<HTMLDivElement | null>(null);
  const latest = useEffectEvent(() => props);
  const putLine = useEffectEvent(() => placeLine(chart.current, line.current, moment));
  useLayoutEffect(() => {
    const box = place.current;
    if (box === null) return;
    const drawn = new uPlot(
      optionsOf({
        spec,
        colours,
        group,
        width: box.clientWidth,
        latest: () => latest(),
        drawn: () => putLine(),
      }),
      latest().data,
      box,
    );
    const moved = document.createElement("div");
    moved.className = "pointer-events-none absolute inset-y-0 right-0 border-l-2 border-ink bg-panel/60";
    drawn.over.append(moved);
    chart.current = drawn;
    line.current = moved;
    putLine();
    const sized = new ResizeObserver(() => {
      if (box.clientWidth > 0) drawn.setSize({ width: box.clientWidth, height: HEIGHT_PX });
    });
    sized.observe(box);
    return () => {
      sized.disconnect();
      chart.current = null;
      line.current = null;
      drawn.destroy();
    };
  }, [spec, colours, group]);
  useEffect(() => {
    chart.current?.setData(data);
  }, [data]);
  useEffect(() => {
    chart.current?.setScale("x", { min: span.from, max: span.to });
  }, [span]);
  useEffect(() => {
    if (steps.length > 0) chart.current?.redraw(false);
  }, [steps]);
  useEffect(() => placeLine(chart.current, line.current, moment), [moment]);
  return <div ref={place} aria-hidden className="min-w-0 overflow-hidden" style={{ height: HEIGHT_PX }} />;
}

type Props = Parameters<typeof Chart>[0];

function placeLine(chart: uPlot | null, line: HTMLDivElement | null, moment: number | null): void {
  if (chart === null || line === null) return;
  line.style.display = moment === null ? "none" : "";
  if (moment !== null) line.style.left = `${Math.max(0, chart.valToPos(moment, "x"))}px`;
}

function optionsOf(options: {
  spec: ChartSpec;
  colours: Colours;
  group: string;
  width: number;
  latest(): Props;
  drawn(): void;
}): uPlot.Options {
  const { spec, colours, group, width, latest, drawn } = options;
  const stroke = colours[spec.colour];
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const axis: uPlot.Axis = {
    stroke: colours.quiet,
    font: FONT,
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: group, scales: ["x", null] },
      y: false,
      drag: { x: false, y: false },
      points: { size: 7, fill: stroke, stroke: colours.ink },
    },
    scales: {
      x: { time: false, range: () => [latest().span.from, latest().span.to] },
      y: { range: (_chart, _min, max) => [0, topOf(spec, max)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 70,
        values: (_chart, splits) => splits.map((at) => clockText(at, 3_600_000)),
        incrs: TIME_STEPS,
      },
      {
        ...axis,
        size: 62,
        space: 32,
        values: (_chart, splits) => splits.map((value) => spec.format(value)),
        ...(spec.steps && { incrs: spec.steps }),
      },
    ],
    series: [
      {},
      {
        stroke,
        fill: colours[`${spec.colour}_area`],
        width: 1.5,
        spanGaps: true,
        points: { show: false },
        ...(spec.stepped === true && stepped && { paths: stepped }),
      },
      ...(spec.peaks === true
        ? [
            {
              stroke,
              width: 1,
              dash: [2, 3],
              spanGaps: true,
              points: { show: false },
              ...(stepped && { paths: stepped }),
            },
          ]
        : []),
    ],
    hooks: {
      draw: [
        (chart) => {
          drawLimit(chart, spec.limit, colours.bad);
          drawSteps(chart, latest().steps, colours);
          drawn();
        },
      ],
      setCursor: [(chart) => latest().onHover(chart.cursor.idx ?? null)],
      ready: [
        (chart) =>
          chart.over.addEventListener("click", () => {
            const { left = -1 } = chart.cursor;
            if (left >= 0) latest().onPick?.(chart.posToVal(left, "x"));
          }),
      ],
    },
  };
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Distances of whole seconds, minutes and hours. */
const TIME_STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 6, 12, 24, 48, 96].map((hours) => hours * HOUR),
];

function topOf({ limit, top }: ChartSpec, max: number | null): number {
  const reached = Math.max(top, (max ?? 0) * 1.1);
  return limit !== null && reached >= limit * LIMIT_SHOWN_FROM ? Math.max(reached, limit * 1.08) : reached;
}

function drawLimit(chart: uPlot, limit: number | null, colour: string): void {
  const { max } = chart.scales.y ?? {};
  if (limit === null || max === undefined || limit > max) return;
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(limit, "y", true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Where steps began, as ticks on the ground; those that failed go all the way up. At most one for each pixel. */
function drawSteps(chart: uPlot, steps: readonly ChartStep[], colours: Colours): void {
  const { ctx, bbox } = chart;
  const bottom = bbox.top + bbox.height;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  let last = -1;
  for (const { at, failed } of steps) {
    const x = Math.round(chart.valToPos(at, "x", true));
    if ((x === last && !failed) || x < bbox.left || x > bbox.left + bbox.width) continue;
    last = x;
    ctx.strokeStyle = failed ? colours.bad : colours.quiet;
    ctx.globalAlpha = failed ? 0.45 : 1;
    ctx.beginPath();
    ctx.moveTo(x + 0.5, bottom);
    ctx.lineTo(x + 0.5, failed ? bbox.top : bottom - STEP_TICK_PX * devicePixelRatio);
    ctx.stroke();
  }
  ctx.restore();
}
