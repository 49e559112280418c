"""The bandit: its Gaussian process against direct formulas, regret that falls, the proxy of the error."""

import numpy as np
import pytest

import pdesolve as pde
from pdesolve.backends.pinn import PINN, Subdomains
from pdesolve.backends.pinn.bandit import (
    BanditError,
    GaussianProcess,
    InterfaceBandit,
    Scales,
    SequentialBandit,
    arms,
    choose_interface,
    interface_error,
)

ARMS = arms()


def test_arms_are_all_sets_with_the_solution():
    assert len(ARMS) == len(set(ARMS)) == 16
    assert ARMS[0] == ("solution",)
    assert all("solution" in arm for arm in ARMS)


def test_the_posterior_is_that_of_a_normal_distribution():
    """Conditioning the joint normal distribution of rewards and values, written out with an inverse."""
    rng = np.random.default_rng(0)
    contexts, flags = rng.uniform(-1, 1, (4, 2)), rng.integers(0, 2, (4, 3)).astype(float)
    rewards, scales = rng.standard_normal(4), Scales(0.7, 1.3, 0.2)
    model = GaussianProcess(contexts, flags, rewards, scales)
    new, arm_flags = np.array([0.2, -0.1]), np.array([[0.0, 0, 1], [1, 1, 0]])

    def k(a, b, f, g):
        return np.exp(-np.sum((a - b) ** 2) / (2 * 0.7**2) - np.abs(f - g).sum() / 1.3)

    pairs = list(zip(contexts, flags, strict=True))
    K = np.array([[k(a, b, f, g) for b, g in pairs] for a, f in pairs])
    S = np.array([[k(a, new, f, g) for g in arm_flags] for a, f in pairs])
    P = np.array([[k(new, new, f, g) for g in arm_flags] for f in arm_flags])
    inverse = np.linalg.inv(K + 0.2**2 * np.eye(4))
    m, s = rewards.mean(), rewards.std()
    mean, covariance = model.posterior(new, arm_flags)
    assert np.allclose(mean, m + s * S.T @ inverse @ ((rewards - m) / s), atol=1e-8)
    assert np.allclose(covariance, s**2 * (P - S.T @ inverse @ S), atol=1e-8)


def synthetic(context, arm):
    """Flux helps where β > 0, the residual where β < 0; more conditions cost a little."""
    beta = context[0]
    gain = 2.0 * beta * ("flux" in arm) - 2.0 * beta * ("residual" in arm)
    return gain - 0.1 * len(arm)


def best_reward(context):
    return max(synthetic(context, arm) for arm in ARMS)


@pytest.mark.parametrize("policy", ["ucb", "thompson"])
@pytest.mark.parametrize("seed", [0, 1])
def test_regret_falls(policy, seed):
    rng = np.random.default_rng(seed)
    bandit = InterfaceBandit(policy=policy, seed=seed)
    contexts = rng.uniform(-1, 1, (60, 1))
    played = choose_interface(contexts, bandit, lambda c, a: synthetic(c, a) + 0.05 * rng.standard_normal())
    regret = np.array([best_reward(c) - synthetic(c, a) for c, (a, _) in zip(contexts, played, strict=True)])
    random = np.mean([best_reward(c) - synthetic(c, a) for c in contexts for a in ARMS])
    assert regret[-20:].mean() < 0.25 * random
    assert regret[-20:].mean() < 0.5 * regret[:20].mean()
    assert "flux" in bandit.best([0.8])
    assert "residual" not in bandit.best([0.8])
    assert "residual" in bandit.best([-0.8])


def test_stages_learn_apart():
    """The warm-up likes gradients, the main stage does not."""
    two = SequentialBandit((InterfaceBandit(seed=0), InterfaceBandit(seed=1)))

    def rewards(context, chosen):
        first, second = chosen
        return 1.0 * ("gradient" in first), -1.0 * ("gradient" in second)

    choose_interface(np.linspace(-1, 1, 25)[:, None], two, rewards)
    first, second = two.best([0.0])
    assert "gradient" in first
    assert "gradient" not in second


def test_wrong_input_is_refused():
    bandit = InterfaceBandit()
    with pytest.raises(BanditError, match="context of 1 numbers"):
        bandit.choose([1.0, 2.0])
    with pytest.raises(BanditError, match="finite reward"):
        bandit.learn([1.0], ARMS[0], float("nan"))
    with pytest.raises(BanditError, match="'ucb' or 'thompson'"):
        InterfaceBandit(policy="greedy")


def trained(ratio, conditions, steps=12):
    problem = pde.catalogue("two-materials", ratio=ratio)
    options = Subdomains((0.5,), None, conditions)
    backend = PINN(subdomains=options, width=6, depth=1, points=40, points_boundary=4, sampler="fixed")
    solution = pde.solve(problem, backend, steps=steps, progress=False)
    return solution, interface_error(problem, options, solution.field)


def test_the_proxy_ranks_sets_of_conditions_as_the_error_does():
    errors, proxies = [], []
    for conditions in (("solution", "flux"), ("solution",), ("solution", "gradient")):
        solution, proxy = trained(10, conditions)
        errors.append(solution.error().relative_l2)
        proxies.append(proxy)
    assert proxies[0] < 0.1 * min(proxies[1:])
    assert errors[0] < 0.1 * min(errors[1:])


@pytest.mark.slow
def test_two_materials_teach_the_flux():
    """A family of ratios, a training run for each reward: the best arm holds the flux, not the gradient."""
    few = arms(of=("solution", "flux", "gradient", "residual"))
    bandit = InterfaceBandit(few, seed=0)
    rng = np.random.default_rng(0)
    contexts = rng.uniform(0.5, 1.0, (24, 1))
    choose_interface(contexts, bandit, lambda c, a: -np.log10(trained(10 ** c[0], a)[1] + 1e-12))
    best = bandit.best([0.9])
    assert "flux" in best
    assert "gradient" not in best
