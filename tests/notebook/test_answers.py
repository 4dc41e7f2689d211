import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import History, check_answer, show_error

CONDITIONS = {
    "there are two numbers": lambda answer: len(answer) == 2,
    "they add up to 1": lambda answer: sum(answer) == 1,
}


@pytest.mark.parametrize("answer", [..., (1, ...), [1, ...], lambda: ...])
def test_three_dots_are_not_filled_in_yet(capsys, answer):
    check_answer(answer, {"it is right": lambda answer: answer() == 1})
    assert capsys.readouterr().out.startswith("Not filled in yet")


def test_a_right_answer_is_confirmed_with_every_condition(capsys):
    check_answer([0.5, 0.5], CONDITIONS)
    expected = "Right.\n- there are two numbers\n- they add up to 1\n"
    assert capsys.readouterr().out == expected


def test_a_wrong_answer_says_what_should_be_true_and_what_came():
    with pytest.raises(AssertionError, match=r"they add up to 1; got \(1, 1\)"):
        check_answer([1, 1], CONDITIONS)


@pytest.mark.parametrize(
    "answer",
    [
        [1, 2],
        (1, 2),
        np.array([1, 2]),
        tf.constant([1, 2]),
        tf.Variable([1, 2]),
        (np.array([1, 2]),),
    ],
)
def test_numbers_come_as_an_array(answer):
    check_answer(answer, {"it is an array": lambda array: array.shape == (2,)})
    check_answer(lambda: answer, {"too": lambda function: function().shape == (2,)})


def test_things_of_different_shapes_stay_apart():
    condition = {"it works": lambda pair: np.allclose(pair[0] @ pair[1], [3, 3])}
    check_answer((tf.ones((2, 3)), [1, 1, 1]), condition)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (History(), "the network is what you gave it"),
        ({}, "{}"),
        (np.ones((9, 9)), r"shape \(9, 9\), float64"),
        ([1] * 200, r"\(1, 1, .* \[...\]"),
    ],
)
def test_an_answer_of_another_form_is_described(answer, words):
    with pytest.raises(AssertionError, match=f"unexpected form: .*{words}"):
        check_answer(answer, {"it is positive": lambda number: number.real > 0})


def test_a_call_that_gives_a_wrong_result_is_named():
    condition = {"it doubles": lambda f: all(f(n) == 2 * n for n in range(5))}
    with pytest.raises(AssertionError, match=r"doubles; got 1 from your function\(1\)"):
        check_answer(lambda n: n**2, condition)


def test_an_error_in_a_function_is_told_with_its_cause():
    def divide(n):
        return 1 / n

    with pytest.raises(AssertionError, match=r"divide\(0\) fails: ZeroDiv") as told:
        check_answer(divide, {"it divides": lambda f: f(0)})
    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_a_function_may_write_into_what_it_gets():
    given = np.ones(3)
    check_answer(lambda array: array.fill(0), {"it runs": lambda f: f(given) is None})
    assert given.all()


def fail_in_tensorflow():
    raise ValueError("{{node MatMul}} sizes differ [Op:MatMul] name: ")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (lambda: {}["seven"], "KeyError: 'seven'"),
        (fail_in_tensorflow, "ValueError: sizes differ"),
        (
            lambda: tf.function(lambda x: x.numpy())(tf.constant(1.0)),
            "AttributeError: 'SymbolicTensor' object has no attribute 'numpy'",
        ),
    ],
)
def test_an_expected_error_is_printed_as_far_as_a_reader_needs_it(
    capsys, action, expected
):
    show_error(action)
    assert capsys.readouterr().out == f"{expected}\n"


def test_long_messages_are_folded(capsys):
    show_error(lambda: {}["word " * 60])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 76


def test_an_error_that_does_not_come_is_an_error():
    with pytest.raises(AssertionError, match="expected to fail"):
        show_error(lambda: 1)


def test_where_xla_s_unknown_operation_arose_is_left_out(capsys):
    @tf.function(jit_compile=True)
    def fail(images):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=tf.zeros((1, 8)),
            output_shape=[4, 4],
            fill_value=0.0,
            interpolation="NEAREST",
        )

    show_error(lambda: fail(tf.zeros((1, 4, 4, 1))))
    printed = capsys.readouterr().out
    assert printed.startswith("InvalidArgumentError: Detected unsupported operations")
    assert "ImageProjectiveTransformV3" in printed and len(printed.splitlines()) < 10
    assert "{{" not in printed and "_Xla" not in printed
    assert "graph fail on XLA_CPU_JIT" in " ".join(printed.split())
