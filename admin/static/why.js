// The customer's tier and why each line earns what it does, as the server's answers tell it.
import { element } from "./state.js";
import { decimal, money, moreRules, number, points, t } from "./words.js";

// "Silver · 1 200 ₽ more to Gold"; "" where the programme has no tiers.
export function tierWords(tier) {
  if (!tier) return "";
  const next = tier.next_name && t("{sum} more to {next}", { sum: money(tier.missing_minor), next: tier.next_name });
  return [tier.name, next].filter(Boolean).join(" · ");
}

// One row a line: what it is, what it earns, and why.
export function whyRows(lines) {
  return lines.map((line) =>
    element(
      "li",
      {},
      element("span", { class: "what" }, line.name || t("Sum of the receipt"), element("small", {}, why(line))),
      element("b", {}, line.earned ? `+${number(line.earned)}` : "0"),
    ),
  );
}

function why(line) {
  const words = line.reasons.map(reasonWords).filter(Boolean);
  const [first] = line.reasons;
  if (!line.earned && words.length === 1 && first.code === "flat_rate") words.push(t("less than a whole point"));
  return words.join(" · ");
}

const SAY = {
  flat_rate({ data, name }) {
    const values = { percent: decimal(data.permille, 1), paid: money(data.paid_minor), tier: name };
    return name ? t("{percent}% of {paid} ({tier})", values) : t("{percent}% of {paid}", values);
  },
  multiplier: ({ data, name }) => t("×{times}: {name}", { times: decimal(data.percent, 2), name: name ?? data.code }),
  more_multipliers: ({ data }) => moreRules(data.count),
  excluded_from_earning: () => t("no points for these goods"),
  nothing_paid: () => t("paid with points, so nothing is earned"),
  below_minimum: ({ data }) => t("points are given from {sum} a purchase", { sum: money(data.min_minor) }),
  capped_receipt: ({ data }) => t("at most {points} a purchase", { points: points(data.points) }),
  capped_day: ({ data }) => t("at most {points} a day", { points: points(data.points) }),
  capped_month: ({ data }) => t("at most {points} a month", { points: points(data.points) }),
  promo_points: ({ data }) => t("promo code +{points}", { points: number(data.points) }),
};

function reasonWords(reason) {
  return SAY[reason.code]?.(reason) ?? "";
}
