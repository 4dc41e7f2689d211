import numpy as np
import pytest
import tensorflow as tf

from mnist_lib import check_answer, show_error

CONDITIONS = {
    "there are two numbers": lambda answer: len(answer) == 2,
    "they add up to 1": lambda answer: sum(answer) == 1,
}


@pytest.mark.parametrize("answer", [..., (1, ...)])
def test_three_dots_are_not_filled_in_yet(capsys, answer):
    check_answer(answer, CONDITIONS)
    assert capsys.readouterr().out.startswith("Not filled in yet")


def test_a_right_answer_is_confirmed_with_every_condition(capsys):
    check_answer([0.5, 0.5], CONDITIONS)
    expected = "Right.\n- there are two numbers\n- they add up to 1\n"
    assert capsys.readouterr().out == expected


def test_a_wrong_answer_says_what_should_be_true():
    with pytest.raises(AssertionError, match="they add up to 1"):
        check_answer([1, 1], CONDITIONS)


def test_arrays_can_be_answers():
    with pytest.raises(AssertionError, match="all zero"):
        check_answer(np.ones(3), {"all zero": lambda answer: not answer.any()})


def test_an_expected_error_is_printed_with_its_kind(capsys):
    show_error(lambda: int("seven"))
    printed = capsys.readouterr().out
    assert printed.startswith("ValueError: invalid literal for int()")
    assert "'seven'" in printed


def test_long_messages_are_folded(capsys):
    show_error(lambda: {}["word " * 60])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 76


def test_an_error_that_does_not_come_is_an_error():
    with pytest.raises(AssertionError, match="expected to fail"):
        show_error(lambda: 1)


def test_what_tensorflow_adds_for_its_own_use_is_left_out(capsys):
    def fail():
        raise ValueError("{{node MatMul}} sizes differ [Op:MatMul] name: ")

    show_error(fail)
    assert capsys.readouterr().out == "ValueError: sizes differ\n"


def test_of_an_error_during_tracing_the_last_line_is_shown(capsys):
    @tf.function
    def fail(x):
        return x.numpy()

    show_error(lambda: fail(tf.constant(1.0)))
    printed = capsys.readouterr().out
    expected = "AttributeError: 'SymbolicTensor' object has no attribute 'numpy'\n"
    assert printed == expected


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


def test_what_is_no_function_is_not_taken_for_the_expected_error():
    with pytest.raises(TypeError, match="action must be a function"):
        show_error(3)
